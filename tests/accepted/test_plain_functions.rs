//! A test need not be async.

#![allow(clippy::unnecessary_wraps)]

#[loom::test]
fn plain() {
    assert!(loom::current_runtime().is_some());
}

#[loom::test(arm = "both", tokio_threads = 1)]
fn twice() -> Result<(), String> {
    Ok(())
}
