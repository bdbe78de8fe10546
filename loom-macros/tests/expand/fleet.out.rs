//! What `fleet.in.rs` expands to.

async fn shrink(image: Vec<u8>, side: u32) -> Vec<u8> {
    ::loom::__private::fleet::far2(
            ::loom::__private::at!("shrink"),
            {
                #[::loom::__private::linkme::distributed_slice(
                    ::loom::__private::fleet::FLEET
                )]
                #[linkme(crate = ::loom::__private::linkme)]
                static __LOOM_FLEET: ::loom::__private::FleetFunction = ::loom::__private::FleetFunction::new(
                    (
                        ::loom::__private::module_path!(),
                        "shrink",
                        ::loom::__private::None,
                    ),
                    "1",
                    "(Vec < u8 >, u32) -> Vec < u8 >",
                    false,
                    |message| ::loom::__private::fleet::serve2(message, &[], shrink),
                );
                &__LOOM_FLEET
            },
            image,
            side,
            |image, side| -> Vec<u8> { image },
        )
        .await
}
#[allow(refining_impl_trait)]
fn search(
    words: String,
) -> impl ::loom::__private::Future<Output = usize> + ::loom::__private::Send {
    let __loom_call = ::loom::__private::fleet::farfuture1(
        ::loom::__private::at!("search".keyed("search").polled()),
        {
            #[::loom::__private::linkme::distributed_slice(
                ::loom::__private::fleet::FLEET
            )]
            #[linkme(crate = ::loom::__private::linkme)]
            static __LOOM_FLEET: ::loom::__private::FleetFunction = ::loom::__private::FleetFunction::new(
                (
                    ::loom::__private::module_path!(),
                    "search",
                    ::loom::__private::Some("search"),
                ),
                "2",
                "(String) -> usize",
                true,
                |message| ::loom::__private::fleet::serve1(message, &[], search),
            );
            &__LOOM_FLEET
        },
        words,
        async move |words| -> usize { index().await.count(&words) },
    );
    async move { __loom_call.await }
}
async fn greet() -> String {
    ::loom::__private::fleet::far0(
            ::loom::__private::at!("greet")
                .carrying({
                    static __LOOM_CARRY: &[&dyn ::loom::__private::Carry] = &[
                        &USER,
                        &requests::ID,
                    ];
                    __LOOM_CARRY
                }),
            {
                static __LOOM_ALONG: &[&dyn ::loom::__private::fleet::TravelsAlong] = &[
                    &USER,
                    &requests::ID,
                ];
                #[::loom::__private::linkme::distributed_slice(
                    ::loom::__private::fleet::FLEET
                )]
                #[linkme(crate = ::loom::__private::linkme)]
                static __LOOM_FLEET: ::loom::__private::FleetFunction = ::loom::__private::FleetFunction::new(
                        (
                            ::loom::__private::module_path!(),
                            "greet",
                            ::loom::__private::None,
                        ),
                        "1",
                        "() -> String with USER, requests :: ID",
                        false,
                        |message| ::loom::__private::fleet::serve0(
                            message,
                            __LOOM_ALONG,
                            greet,
                        ),
                    )
                    .taking_along(|| ::loom::__private::fleet::write(__LOOM_ALONG));
                &__LOOM_FLEET
            },
            || -> String { USER.get() },
        )
        .await
}
