#[loom::main]
#[loom::compute]
async fn main() {}
