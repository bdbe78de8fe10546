#[loom::main(tokio_thread = 2)]
async fn main() {}
