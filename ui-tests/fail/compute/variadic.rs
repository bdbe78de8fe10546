#[loom::compute]
unsafe extern "C" fn sum(n: u32, _: ...) -> u32 {
    n
}

fn main() {}
