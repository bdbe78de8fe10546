//! What `named.in.rs` expands to.

#[instrument(fields(size = data.len(), x = x))]
async fn store(
    data: Vec<u8>,
    _count: usize,
    Point { x, y }: Point,
    __loom_arg3: (u8, u8),
) -> usize {
    #[allow(clippy::used_underscore_binding)]
    let __loom_arg1 = _count;
    ::loom::__private::call4(
            ::loom::__private::at!("store"),
            data,
            __loom_arg1,
            (x, y),
            __loom_arg3,
            |
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                mut data,
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                _count,
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                (x, y),
                (_, z),
            | -> usize {
                data.push(z);
                data.len() + x + y
            },
        )
        .await
}
