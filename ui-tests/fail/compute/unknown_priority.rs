#[loom::compute(priority = "hihg")]
fn one() {}

#[loom::compute(priority = 1)]
fn other() {}

fn main() {}
