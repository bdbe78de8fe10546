//! `POST /drill/panic`, only with `--drill`: rehearses a bug in a compute function.

#[loom::compute(hint = "high")]
fn fail() {
    panic!("a compute function panicked, as asked");
}

pub(crate) async fn handler() {
    fail().await;
}
