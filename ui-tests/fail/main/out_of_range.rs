#[loom::main(tokio_threads = 0, rayon_threads = 10_000, compute_queue = 0)]
async fn main() {}
