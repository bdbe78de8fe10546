//! A compute function calls no other, and as a method not itself: either is to be awaited.

#[loom::compute]
fn inner(n: u32) -> u32 {
    n
}

#[loom::compute]
fn outer(n: u32) -> u32 {
    inner(n)
}

#[loom::compute]
fn sum(n: u32) -> u32 {
    let inner: u32 = inner(n);
    inner + 1
}

struct Tree(u32);

impl Tree {
    #[loom::compute]
    fn depth(self) -> u32 {
        if self.0 == 0 { 0 } else { Tree(self.0 - 1).depth() }
    }
}

fn main() {}
