#[loom::main(local_cores = 2000)]
async fn main() {}
