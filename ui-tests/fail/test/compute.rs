#[loom::test]
#[loom::compute]
fn one() {}

fn main() {}
