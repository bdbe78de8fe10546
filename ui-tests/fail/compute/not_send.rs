use std::rc::Rc;

#[loom::compute]
fn captures(n: Rc<u32>) -> u32 {
    *n
}

fn main() {}
