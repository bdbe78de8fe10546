#[loom::compute(size = text)]
fn length(text: String) -> usize {
    text.len()
}

#[loom::compute(sice = 3)]
fn slip(n: u32) -> u32 {
    n
}

fn main() {}
