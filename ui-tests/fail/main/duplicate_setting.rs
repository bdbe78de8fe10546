#[loom::main(tokio_threads = 2, prefix = "a", tokio_threads = 3)]
async fn main() {}
