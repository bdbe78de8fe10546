#[loom::compute(hint = 3)]
fn number(n: u32) -> u32 {
    n
}

#[loom::compute(hint)]
fn none(n: u32) -> u32 {
    n
}

#[loom::compute(crate = "loom")]
fn not_a_path(n: u32) -> u32 {
    n
}

fn main() {}
