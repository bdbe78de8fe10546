//! Only an `async fn` awaits.

async fn fetch() -> u32 {
    1
}

#[loom::compute]
fn awaits() -> u32 {
    let a = fetch().await;
    let b = { fetch().await };
    a + b
}

#[loom::compute]
fn awaits_within_macros(n: u32) -> String {
    println!("{}", fetch().await);
    format!("{n} {}", fetch().await)
}

#[loom::compute]
fn awaits_by_a_macro() -> u32 {
    tokio::select! {
        n = fetch() => n,
    }
}

fn main() {}
