//! What `recursion.in.rs` expands to.

async fn fibonacci(n: u64) -> u64 {
    match ::loom::__private::call1(
        ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                ::loom::__private::module_path!(),
                "fibonacci",
            );
            &__LOOM_SITE
        }),
        ::loom::__private::Arg(n),
        |__loom_arg0| {
            #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)]
            fn fibonacci(n: u64) -> u64 {
                if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
            }
            fibonacci(__loom_arg0)
        },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
async fn squares<const N: usize>(numbers: [u32; N]) -> impl Iterator<Item = u32> {
    match ::loom::__private::call1(
        ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                ::loom::__private::module_path!(),
                "squares",
            );
            &__LOOM_SITE
        }),
        ::loom::__private::Arg(numbers),
        |numbers| -> _ { numbers.into_iter().map(|n| n * n) },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
