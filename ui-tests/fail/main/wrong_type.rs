//! What is no literal is the compiler's to check.

const THREADS: &str = "4";

#[loom::main(tokio_threads = THREADS)]
async fn threads() {}

#[loom::main(placement = loom::Pin::Yes)]
async fn place() {}

fn main() {}
