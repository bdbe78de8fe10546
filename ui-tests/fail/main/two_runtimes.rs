#[loom::main]
#[tokio::main]
async fn main() {}
