use std::pin::Pin;
use std::sync::Arc;

struct Cart(u32);

impl Cart {
    #[loom::compute]
    fn add(&mut self, n: u32) {
        self.0 += n;
    }

    #[loom::compute]
    fn typed(self: &Self) -> u32 {
        self.0
    }

    #[loom::compute]
    fn pinned(self: Pin<&mut Self>) -> u32 {
        self.0
    }

    #[loom::compute]
    fn counted(self: &Arc<Self>) -> u32 {
        self.0
    }
}

#[loom::main]
async fn main() {
    let mut cart = Cart(1);
    cart.add(1).await;
    assert_eq!(cart.typed().await, 2);
}
