#[loom::compute(crate = weaver)]
fn one() {}

fn main() {}
