#[loom::test(start_paused)]
async fn without_the_feature() {}

#[loom::test(start_paused = true)]
async fn with_a_value() {}

#[loom::test(start_paused, tokio_threads = 2, local_cores = 1, tokio_flavor = "multi_thread")]
async fn on_several_threads() {}

fn main() {}
