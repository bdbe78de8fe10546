#[loom::test]
fn sync() {}

fn main() {}
