#[loom::test(worker_threads = 2, duration = "1s")]
async fn settings() {}

fn main() {}
