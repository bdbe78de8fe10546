#[loom::test(tokio_threads = 0, cpuset = "", rayon_threads = "two")]
async fn one() {}

fn main() {}
