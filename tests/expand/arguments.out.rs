//! What `arguments.in.rs` expands to.

async fn resize(
    image: Vec<u8>,
    __loom_arg1: (u32, u32),
    state: State,
) -> Result<Vec<u8>, Error> {
    let __loom_at = ::loom::__private::At::site({
            static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                    ::loom::__private::module_path!(),
                    "resize",
                )
                .keyed("resize")
                .in_mode(::loom::__private::Mode::Adaptive)
                .sized();
            &__LOOM_SITE
        })
        .size(::loom::__private::magnitude(|| image.len()))
        .priority(::loom::__private::Priority::Low)
        .on_any(|| state.runtime);
    match ::loom::__private::call3(
        __loom_at,
        ::loom::__private::Arg(image),
        ::loom::__private::Arg(__loom_arg1),
        ::loom::__private::Arg(state),
        |image, (width, height), mut state| -> Result<Vec<u8>, Error> {
            state.count += 1;
            scale(image, width, height)
        },
    ) {
        ::loom::__private::Ok(__loom_result) => __loom_result,
        ::loom::__private::Err(__loom_call) => __loom_call.await,
    }
}
