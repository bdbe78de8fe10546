//! Mistakes in a body that awaits are told as in any function.

#[loom::compute]
async fn wrong_type() -> u32 {
    std::future::ready(()).await;
    "one"
}

#[loom::compute]
async fn no_such_name() -> u32 {
    std::future::ready(()).await;
    missing
}

#[loom::compute]
async fn not_a_result() -> u32 {
    std::future::ready(()).await;
    "1".parse::<u32>()?
}

#[loom::compute]
async fn not_a_future(n: u32) -> u32 {
    n.await
}

fn main() {}
