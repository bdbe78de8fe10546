//! What is held across an await has to be `Send`, and the error is at the variable.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Mutex;

#[loom::compute]
async fn holds_rc() -> usize {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    *shared
}

static TOTAL: Mutex<u32> = Mutex::new(0);

#[loom::compute]
async fn holds_a_guard() {
    let mut total = TOTAL.lock().unwrap();
    std::future::ready(()).await;
    *total += 1;
}

#[loom::compute]
async fn holds_a_borrow(n: u32) -> u32 {
    let cell = RefCell::new(n);
    let borrowed = &cell;
    std::future::ready(()).await;
    *borrowed.borrow()
}

fn main() {}
