//! What may end before the call does.

use std::borrow::Cow;

#[loom::compute]
fn generic<T: Send>(items: Vec<T>) -> usize {
    items.len()
}

struct Page<'a>(Cow<'a, str>);

impl<'a> Page<'a> {
    #[loom::compute]
    fn length(self) -> usize {
        self.0.len()
    }
}

fn main() {}
