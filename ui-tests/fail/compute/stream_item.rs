//! A stream of items that do not say what they cost.

use loom::ComputeStreamExt;

struct Picture(Vec<u8>);

fn main() {
    let pictures = tokio_stream::iter([Picture(Vec::new())]);
    let _lengths = pictures.adaptive_map(|picture| picture.0.len());
}
