//! Hints from `loom-hints.toml`, beside the package's manifest.

#![forbid(unsafe_code)]

use std::thread;

use loom::ComputeHint;

/// Whether a thread is of either compute pool: where neighbours take the CPUs, the one of normal
/// priority runs the work.
fn is_of_pool(thread: &str) -> bool {
    ["loom-rayon-", "loom-norm-"].iter().any(|pool| thread.starts_with(pool))
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[loom::compute]
fn by_path() -> String {
    thread_name()
}

#[loom::compute(hint = "high")]
fn in_code() -> String {
    thread_name()
}

/// Has the same name as `inner::by_table`, which alone is in the file.
#[loom::compute]
fn by_table() {}

mod inner {
    #[loom::compute]
    pub(crate) fn by_table() -> String {
        super::thread_name()
    }

    pub(crate) struct Cart(pub(crate) u32);

    impl Cart {
        #[loom::compute]
        pub(crate) fn total(self) -> u32 {
            self.0
        }
    }

    #[loom::compute(mode = "offload")]
    pub(crate) fn by_path() {}
}

#[loom::test]
async fn a_file_gives_hints_where_the_code_has_none() {
    let here = thread_name();
    assert_eq!(by_path().await, here);
    assert!(is_of_pool(&in_code().await));
    assert!(is_of_pool(&inner::by_table().await));
    assert_eq!(inner::Cart(7).total().await, 7);
    by_table().await;
    inner::by_path().await;
    let hints: Vec<_> = loom::functions().iter().map(|f| (f.path, f.hint)).collect();
    for expected in [
        ("hints::by_path", ComputeHint::Low),
        ("hints::by_table", ComputeHint::Unknown),
        ("hints::in_code", ComputeHint::High),
        ("hints::inner::by_path", ComputeHint::Unknown),
        ("hints::inner::by_table", ComputeHint::High),
        ("hints::inner::total", ComputeHint::Low),
    ] {
        assert!(hints.contains(&expected), "{expected:?} in {hints:?}");
    }
}

#[test]
fn every_entry_has_its_function() {
    assert_eq!(loom::hints::check(), Ok(()));
}
