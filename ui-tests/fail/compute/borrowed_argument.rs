use std::borrow::Cow;
use std::path::Path;

struct Image;

#[loom::compute]
fn text(source: &str) -> usize {
    source.len()
}

#[loom::compute]
fn several(bytes: &[u8], path: &Path, image: &mut Image, n: u32) -> u32 {
    drop((bytes, path, image));
    n
}

#[loom::compute]
fn hidden(names: Vec<&str>, maybe: Option<Cow<'_, str>>) {
    drop((names, maybe));
}

fn main() {}
