#[loom::main]
fn main() {}
