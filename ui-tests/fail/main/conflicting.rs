//! Settings that exclude each other.

#[loom::main(pin = true, pin_threads = false)]
async fn pinned() {}

#[loom::main(tokio_flavor = "current_thread", tokio_threads = 2)]
async fn one_thread() {}

fn main() {}
