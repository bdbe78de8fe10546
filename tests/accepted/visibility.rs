//! The attribute leaves a function as visible as it is written.

#![deny(warnings, unreachable_pub)]

mod shop {
    #[loom::compute]
    pub(crate) fn in_crate() -> u8 {
        1
    }

    #[loom::compute]
    pub(super) fn in_parent() -> u8 {
        2
    }

    pub(crate) struct Cart;

    impl Cart {
        #[loom::compute]
        pub(in crate::visibility::shop) fn here(self) -> u8 {
            3
        }
    }

    pub(crate) async fn here() -> u8 {
        Cart.here().await
    }
}

#[loom::main]
async fn main() {
    assert_eq!(shop::in_crate().await + shop::in_parent().await + shop::here().await, 6);
}

#[test]
fn runs() {
    main();
}
