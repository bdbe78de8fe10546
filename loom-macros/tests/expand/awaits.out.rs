//! What `awaits.in.rs` expands to.

#[allow(refining_impl_trait)]
fn merges(
    rows: Vec<Row>,
    more: Receiver<Row>,
) -> impl ::loom::__private::Future<
    Output = Result<Vec<Row>, Error>,
> + ::loom::__private::Send {
    let __loom_at = ::loom::__private::at!(
        "merges".hinted(::loom::__private::ComputeHint::High).sized().polled()
    )
        .size(::loom::__private::magnitude(|| rows.len()));
    let __loom_call = ::loom::__private::future2(
        __loom_at,
        rows,
        more,
        async move |
            #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
            rows,
            mut more,
        | -> Result<Vec<Row>, Error> {
            let mut all = rows;
            while let Some(row) = more.recv().await {
                all.push(checked(row)?);
            }
            Ok(all)
        },
    );
    async move { __loom_call.await }
}
impl Shop {
    #[allow(refining_impl_trait)]
    fn total(
        self: Arc<Self>,
    ) -> impl ::loom::__private::Future<Output = u64> + ::loom::__private::Send {
        let __loom_call = ::loom::__private::future0(
            ::loom::__private::at!("total".polled()),
            async move || -> u64 {
                let _ = &self;
                tokio::join!(self.prices(), self.taxes()).0
            },
        );
        async move { __loom_call.await }
    }
}
async fn spawns_only(n: u64) {
    ::loom::__private::call1(
            ::loom::__private::at!("spawns_only"),
            n,
            |n| -> () {
                tokio::spawn(async move { send(n).await });
            },
        )
        .await
}
