#[loom::main(tokio_threads = 1)]
#[loom::main(tokio_threads = 2)]
async fn main() {}
