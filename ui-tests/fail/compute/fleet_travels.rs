//! What cannot be written and read again.

struct Image(Vec<u8>);

#[loom::compute(fleet)]
fn argument(side: u32, image: Image) -> usize {
    image.0.len() * side as usize
}

#[loom::compute(fleet)]
fn result(side: u32) -> Image {
    Image(vec![0; side as usize])
}

fn main() {}
