#[loom::compute(hnt = "low")]
fn near(n: u32) -> u32 {
    n
}

#[loom::compute(color = "red")]
fn far(n: u32) -> u32 {
    n
}

fn main() {}
