async fn fetch() -> u32 {
    1
}

#[loom::compute]
async fn awaits() -> u32 {
    let a = fetch().await;
    let b = { fetch().await };
    a + b
}

#[loom::compute]
fn sync_awaits() -> u32 {
    fetch().await
}

#[loom::compute]
fn awaits_within_macros(n: u32) -> String {
    println!("{}", fetch().await);
    format!("{n} {}", fetch().await)
}

fn main() {}
