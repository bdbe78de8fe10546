#[loom::compute(hint = "hihg")]
fn near(n: u32) -> u32 {
    n
}

#[loom::compute(hint = "expensive")]
fn far(n: u32) -> u32 {
    n
}

fn main() {}
