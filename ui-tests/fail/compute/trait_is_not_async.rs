//! What a trait declares as a plain function is none in its implementation.

trait Priced {
    fn price(self) -> u32;
}

struct Cart;

impl Priced for Cart {
    #[loom::compute]
    fn price(self) -> u32 {
        1
    }
}

fn main() {}
