#[loom::compute(size = text)]
fn length(text: String) -> usize {
    text.len()
}

#[loom::compute(sice = 3)]
fn slip(n: u32) -> u32 {
    n
}

#[loom::compute(size = a.len())]
fn part((a, b): (Vec<u8>, u8)) -> usize {
    a.len() + usize::from(b)
}

fn main() {}
