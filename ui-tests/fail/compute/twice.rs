#[loom::compute(hint = "low")]
#[loom::compute(hint = "high")]
fn double(n: u32) -> u32 {
    n * 2
}

#[loom::main]
async fn main() {
    assert_eq!(double(1).await, 2);
}
