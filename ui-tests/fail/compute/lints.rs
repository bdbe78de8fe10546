//! What lints say of the plain function, they say of the annotated one, and once.

#![deny(warnings)]

#[loom::compute]
fn unused(argument: u32, (first, _second): (u32, u32), mut mutable: u32) {
    let variable = 1;
    println!("{mutable}");
}

#[loom::compute]
fn unreachable(n: u32) -> u32 {
    return n;
    drop(n);
}

#[loom::compute]
fn dead(n: u32) -> u32 {
    n
}

#[loom::compute]
fn dead_recursion(n: u32) -> u32 {
    if n == 0 { 0 } else { dead_recursion(n - 1) }
}

#[loom::compute]
#[must_use = "or it was in vain"]
fn important() -> u32 {
    1
}

#[deprecated]
#[loom::compute]
fn old() {}

#[loom::main]
async fn main() {
    unused(1, (2, 3), 4).await;
    unreachable(1).await;
    important().await;
    important();
    old().await;
}
