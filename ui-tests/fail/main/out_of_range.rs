#[loom::main(tokio_threads = 0, rayon_threads = 10_000)]
async fn main() {}
