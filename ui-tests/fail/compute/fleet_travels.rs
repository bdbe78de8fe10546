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

tokio::task_local! {
    static SHOWN: std::sync::Arc<std::sync::Mutex<u32>>;
}

#[loom::compute(fleet, carry(SHOWN))]
fn along(side: u32) -> u32 {
    SHOWN.with(|_| side)
}

fn main() {}
