//! What `methods.in.rs` expands to.

impl Cart {
    async fn total(self, discount: u32) -> u32 {
        match ::loom::__private::call1(
            ::loom::__private::At::site({
                static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                    ::loom::__private::module_path!(),
                    "total",
                );
                &__LOOM_SITE
            }),
            ::loom::__private::Arg(discount),
            move |discount| -> u32 {
                let _ = &self;
                self.sum() - discount
            },
        ) {
            ::loom::__private::Ok(__loom_result) => __loom_result,
            ::loom::__private::Err(__loom_call) => __loom_call.await,
        }
    }
    async fn first(&self) -> Option<&Item> {
        match ::loom::__private::scoped0(
            ::loom::__private::At::site({
                static __LOOM_SITE: ::loom::__private::Site = ::loom::__private::Site::new(
                    ::loom::__private::module_path!(),
                    "first",
                );
                &__LOOM_SITE
            }),
            move || -> Option<&Item> { self.items.first() },
        ) {
            ::loom::__private::Ok(__loom_result) => __loom_result,
            ::loom::__private::Err(__loom_call) => __loom_call.await,
        }
    }
}
