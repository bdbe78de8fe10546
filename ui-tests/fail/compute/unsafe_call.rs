#[loom::compute]
unsafe fn risky(n: u32) -> u32 {
    n
}

#[loom::main]
async fn main() {
    risky(1).await;
}
