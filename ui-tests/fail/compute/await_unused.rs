//! The lints of the compiler see such a function as any other.

#![deny(unused)]

#[loom::compute]
async fn unused_argument(n: u32) -> u32 {
    std::future::ready(()).await;
    1
}

#[loom::compute]
async fn unused_variable() -> u32 {
    let n = 1;
    std::future::ready(()).await;
    2
}

#[loom::compute]
async fn answer() -> u32 {
    std::future::ready(()).await;
    3
}

async fn forgets() {
    answer();
    let _ = unused_argument(1);
    let _ = unused_variable();
}

fn main() {
    let _ = forgets();
}
