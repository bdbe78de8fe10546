#[loom::main(tokio_threads = -1, rayon_threads = 1.5, compute_queue = 99_999_999)]
async fn main() {}
