#[loom::compute(scope = true)]
fn length(text: &str) -> usize {
    text.len()
}

fn main() {}
