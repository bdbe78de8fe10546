//! What `arguments.in.rs` expands to.

async fn resize(
    image: Vec<u8>,
    __loom_arg1: (u32, u32),
    state: State,
) -> Result<Vec<u8>, Error> {
    let __loom_on = ::loom::__private::on(|| state.runtime);
    let __loom_at = ::loom::__private::at!(
        "resize".keyed("resize").in_mode(::loom::__private::Mode::Adaptive).sized()
    )
        .size(::loom::__private::magnitude(|| image.len()))
        .priority(::loom::__private::Priority::Low)
        .carrying({
            static __LOOM_CARRY: &[&dyn ::loom::__private::Carry] = &[
                &USER,
                &request::ID,
            ];
            __LOOM_CARRY
        })
        .on(&__loom_on);
    ::loom::__private::call3(
            __loom_at,
            image,
            __loom_arg1,
            state,
            |
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                image,
                (width, height),
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                mut state,
            | -> Result<Vec<u8>, Error> {
                state.count += 1;
                scale(image, width, height)
            },
        )
        .await
}
