struct Cart;

#[loom::compute]
impl Cart {
    fn total(self) -> u32 {
        1
    }
}

#[loom::compute]
trait Priced {
    fn price(self) -> u32;
}

fn main() {
    let _total = Cart.total();
}
