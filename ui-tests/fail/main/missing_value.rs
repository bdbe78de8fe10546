#[loom::main(tokio_threads, prefix = )]
async fn main() {}
