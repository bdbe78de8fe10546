//! Functions that a macro writes.

macro_rules! functions {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty $body:block)*) => {
        $(#[loom::compute]
        fn $name($($arg: $ty),*) -> $out $body)*
    };
}

functions! {
    add(a: u32, b: u32) -> u32 { a + b }
    count(n: u32) -> u32 { if n == 0 { 0 } else { 1 + count(n - 1) } }
}

macro_rules! sized {
    ($name:ident, $size:expr, $hint:literal) => {
        #[loom::compute(size = $size, hint = $hint)]
        fn $name(n: u32) -> u32 {
            n
        }
    };
}

sized!(three, 3, "low");

#[loom::main]
async fn main() {
    assert_eq!(add(1, 2).await + count(3).await + three(1).await, 7);
}

#[test]
fn runs() {
    main();
}
