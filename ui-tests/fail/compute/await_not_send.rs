//! Arguments and results of a function that awaits go to other threads.

use std::rc::Rc;

#[loom::compute]
async fn takes(shared: Rc<u32>) -> u32 {
    std::future::ready(()).await;
    1
}

#[loom::compute]
async fn gives() -> Rc<u32> {
    std::future::ready(()).await;
    Rc::new(1)
}

#[loom::compute]
async fn takes_any<T>(_value: T) {
    std::future::ready(()).await;
}

fn main() {}
