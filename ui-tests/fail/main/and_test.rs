#[loom::main]
#[loom::test]
async fn main() {}
