//! What `compute.in.rs` expands to.

/// Doubles.
#[must_use]
pub async fn double(n: u32) -> u32 {
    match ::loom::__private::call1(
        ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                    ::loom::__private::module_path!(),
                    "double",
                )
                .hinted(::loom::__private::ComputeHint::High);
            &__LOOM_SITE
        }),
        ::loom::__private::Arg(n),
        |n| -> u32 { n * 2 },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
