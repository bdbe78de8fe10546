//! Errors in calls are those of an `async fn` of that signature.

#[loom::compute]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[loom::main]
async fn main() {
    add(1).await;
    add("1", 2).await;
    let _sum: u32 = add(1, 2);
}
