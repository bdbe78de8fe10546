//! Arguments that are there under a condition.

#![allow(clippy::non_minimal_cfg)]

#[loom::compute]
fn both(#[cfg(any())] never: u32, #[cfg(all())] always: u32, #[cfg(not(any()))] too: u32) -> u32 {
    #[cfg(any())]
    let always = never;
    always + too
}

struct Cart(u32);

impl Cart {
    #[loom::compute]
    fn total(self, #[cfg(any())] discount: u32, #[allow(unused_variables)] tax: u32) -> u32 {
        self.0
    }
}

#[loom::test]
async fn runs() {
    assert_eq!(both(1, 2).await, 3);
    assert_eq!(Cart(3).total(1).await, 3);
}
