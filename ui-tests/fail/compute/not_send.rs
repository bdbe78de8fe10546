use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

#[loom::compute]
fn argument(n: Rc<u32>) -> u32 {
    *n
}

struct Cart {
    items: Vec<Rc<str>>,
}

#[loom::compute]
fn within(first: u32, cart: Cart, last: u32) -> usize {
    cart.items.len() + (first + last) as usize
}

#[loom::compute]
fn result(n: u32) -> Rc<u32> {
    Rc::new(n)
}

impl Cart {
    #[loom::compute]
    fn receiver(self, n: usize) -> usize {
        self.items.len() + n
    }

    #[loom::compute]
    fn shared(self: Arc<Self>) -> usize {
        self.items.len()
    }
}

#[loom::compute]
fn opaque(n: u32) -> impl Fn() -> u32 {
    let n = Rc::new(RefCell::new(n));
    move || *n.borrow()
}

#[loom::compute]
fn generic<T: Clone + 'static>(item: T) -> (u32, u32) {
    drop(item.clone());
    (1, 2)
}

fn main() {}
