//! The entry of a runtime is no compute function.

#[loom::compute]
#[tokio::test]
async fn of_tokio() {}

#[loom::compute]
#[loom::main]
async fn main() {}
