use std::cell::Cell;
use std::rc::Rc;

tokio::task_local! {
    static COUNT: Rc<Cell<u32>>;
}

static PLAIN: u32 = 1;

#[loom::compute(carry(COUNT))]
fn not_send() {}

#[loom::compute(carry(PLAIN))]
fn not_local() {}

fn main() {}
