//! The entry of a program.

#[loom::main(prefix = "shop", tokio_threads = 2, shutdown_timeout = "10s", pin = "required")]
async fn main() -> Result<(), Error> {
    serve().await
}
