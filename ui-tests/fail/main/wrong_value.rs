#[loom::main(
    prefix = 1,
    tokio_threads = "four",
    placement = "spilt",
    compute_priority = true,
    pin = "yes",
    shutdown_timeout = "5 parsecs"
)]
async fn main() {}
