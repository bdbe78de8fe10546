//! Mistakes: all of them, and the item beside them.

#[loom::compute(hint = "hot", mode = "offload")]
const fn length(text: &str) -> usize {
    text.len()
}
