//! Receivers that own their value, and functions of a type.

use std::sync::Arc;

struct Cart(Vec<u32>);

impl Cart {
    #[loom::compute]
    fn new(items: Vec<u32>) -> Self {
        Self(items)
    }

    #[loom::compute]
    fn total(self: Arc<Self>) -> u32 {
        self.0.iter().sum()
    }

    #[loom::compute]
    fn boxed(self: Box<Self>) -> usize {
        self.0.len()
    }
}

#[loom::test]
async fn runs() {
    let cart = Arc::new(Cart::new(vec![1, 2]).await);
    assert_eq!(Arc::clone(&cart).total().await, 3);
    assert_eq!(Box::new(Cart(vec![1])).boxed().await, 1);
}
