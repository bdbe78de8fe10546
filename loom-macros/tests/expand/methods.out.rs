//! What `methods.in.rs` expands to.

impl Cart {
    async fn total(self, discount: u32) -> u32 {
        ::loom::__private::call1(
                ::loom::__private::at!("total"),
                discount,
                move |discount| -> u32 {
                    let _ = &self;
                    self.sum() - discount
                },
            )
            .await
    }
    async fn first(&self) -> Option<&Item> {
        ::loom::__private::scoped0(
                ::loom::__private::at!("first"),
                move || -> Option<&Item> { self.items.first() },
            )
            .await
    }
}
