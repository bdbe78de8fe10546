//! What is for tests alone.

#[loom::main(arm = "inline")]
async fn main() {}
