#[loom::main]
async fn main() {
    let n: u32 = "1";
    missing().await;
}
