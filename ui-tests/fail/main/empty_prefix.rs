#[loom::main(prefix = "")]
async fn main() {}
