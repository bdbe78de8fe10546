//! What `test.in.rs` expands to.

#[::loom::__private::prelude::v1::test]
fn moved() {
    #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
    async fn moved() {
        work().await;
    }
    ::loom::__private::run_test(
        ::loom::__private::test_builder().always_offload(),
        moved,
    )
}
#[should_panic]
#[::loom::__private::prelude::v1::test]
fn twice() {
    #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
    async fn twice() {
        work().await;
    }
    ::loom::__private::run_test_on_both(
        ::loom::__private::concat!(::loom::__private::module_path!(), "::", "twice"),
        ::loom::__private::Some(""),
        || ::loom::__private::test_builder(),
        twice,
    )
}
#[::loom::__private::prelude::v1::test]
fn plain() {
    #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
    fn plain() {
        check();
    }
    ::loom::__private::run_plain_test(::loom::__private::test_builder(), plain)
}
