//! What `conditions.in.rs` expands to.

#[cfg(not(feature = "tax"))]
async fn sum(a: u32) -> u32 {
    match ::loom::__private::call1(
        ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                ::loom::__private::module_path!(),
                "sum",
            );
            &__LOOM_SITE
        }),
        ::loom::__private::Arg(a),
        |a| -> u32 {
            #[cfg(feature = "tax")]
            let a = a + tax;
            a
        },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
#[cfg(feature = "tax")]
async fn sum(a: u32, tax: u32) -> u32 {
    match ::loom::__private::call2(
        ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                ::loom::__private::module_path!(),
                "sum",
            );
            &__LOOM_SITE
        }),
        ::loom::__private::Arg(a),
        ::loom::__private::Arg(tax),
        |a, tax| -> u32 {
            #[cfg(feature = "tax")]
            let a = a + tax;
            a
        },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
