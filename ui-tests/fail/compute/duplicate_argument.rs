#[loom::compute(hint = "low", hint = "high")]
fn twice(n: u32) -> u32 {
    n
}

fn main() {}
