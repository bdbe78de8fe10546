//! What `main.in.rs` expands to.

fn main() -> Result<(), Error> {
    #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
    async fn main() -> Result<(), Error> {
        serve().await
    }
    ::loom::__private::run_main(
        ::loom::__private::LoomBuilder::new()
            .prefix("shop")
            .tokio_threads(2)
            .shutdown_timeout(::loom::__private::Duration::new(10u64, 0u32))
            .pin(::loom::__private::Pin::Required),
        main,
    )
}
