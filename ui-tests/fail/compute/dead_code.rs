#![deny(dead_code)]

#[loom::compute]
fn dead(n: u32) -> u32 {
    below(n)
}

#[loom::compute]
fn dead_recursion(n: u32) -> u32 {
    if n == 0 { 0 } else { dead_recursion(n - 1) }
}

fn below(n: u32) -> u32 {
    n
}

struct Cart;

impl Cart {
    #[loom::compute]
    fn total(self) -> u32 {
        1
    }
}

async fn plain(n: u32) -> u32 {
    n
}

fn main() {
    let _cart = Cart;
}
