#[loom::test]
struct Cart;

fn main() {
    let _cart = Cart;
}
