#[loom::main]
const async fn main() {}
