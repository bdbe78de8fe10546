//! What cannot be read does not hide what comes after it.

#[loom::compute("high", hint: "low", hint = "low" mode = "inline", sise = 1, = 3)]
fn length(text: String) -> usize {
    text.len()
}

fn main() {}
