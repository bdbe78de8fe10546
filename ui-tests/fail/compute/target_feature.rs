#[loom::compute]
#[target_feature(enable = "avx2")]
fn wide(n: u32) -> u32 {
    n
}

fn main() {}
