#[loom::compute]
fn first(words: Vec<String>) -> &str {
    &words[0]
}

#[loom::compute]
fn named<'a>(words: Vec<String>) -> Option<&'a [u8]> {
    None
}

fn main() {}
