//! A function may say where it runs, and under which key.

#[loom::compute(mode = "offload", priority = "high", key = "heavy")]
fn heavy() -> bool {
    rayon::current_thread_index().is_some()
}

#[loom::compute(mode = "inline", size = 3)]
fn light() -> bool {
    rayon::current_thread_index().is_some()
}

#[loom::compute(mode = "observe", hint = "high")]
fn watched() -> bool {
    rayon::current_thread_index().is_some()
}

#[loom::test]
async fn runs() {
    assert!(heavy().await);
    assert!(!light().await);
    assert!(!watched().await);
}
