#[loom::compute(hint = , size, mode =)]
fn length(text: String) -> usize {
    text.len()
}

fn main() {}
