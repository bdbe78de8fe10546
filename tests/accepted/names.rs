//! Names that an expansion might use, and that are the user's all the same.

#![deny(warnings)]
#![allow(non_upper_case_globals, non_snake_case)]

const result: u32 = 1;
const call: u32 = 2;
const at: u32 = 3;
const SITE: u32 = 4;
const __LOOM_SITE: u32 = 5;
const HINT: loom::ComputeHint = loom::ComputeHint::Low;

fn __loom_body() -> u32 {
    6
}

mod core {}

#[loom::compute(hint = HINT, size = result + SITE)]
fn constants(loom: u32, core: u32) -> u32 {
    result + call + at + SITE + __LOOM_SITE + loom + core + __loom_body()
}

#[loom::compute]
fn f(f: u32) -> u32 {
    f
}

#[loom::compute]
fn shadowed(n: u32) -> u32 {
    fn Some(n: u32) -> u32 {
        n + 1
    }
    Some(n)
}

#[loom::main]
async fn main() {
    assert_eq!(constants(1, 2).await, 24);
    assert_eq!(f(1).await, 1);
    assert_eq!(shadowed(1).await, 2);
    assert_eq!(__loom_body(), 6);
}

#[test]
fn runs() {
    main();
}
