//! The expansion needs no prelude, and modules may be named `core` and `std`.

#![no_implicit_prelude]

mod core {}
mod std {}

#[::loom::compute]
fn hygienic(n: u32) -> u32 {
    n
}

#[::loom::main]
async fn main() {
    ::std::assert_eq!(hygienic(1).await, 1);
}

#[test]
fn runs() {
    main();
}
