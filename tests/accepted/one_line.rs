//! Bodies of one line, which have braces of their own nonetheless.

#![deny(warnings)]

#[derive(Clone, Copy)]
struct Cart(u8);

#[rustfmt::skip]
impl Cart {
    #[loom::compute] fn get(self) -> u8 { self.0 }
    #[loom::compute(scope)] fn by_reference(&self) -> &u8 { &self.0 }
    #[loom::compute] #[inline(never)] fn apart(self) -> u8 { self.0 }
}

#[rustfmt::skip]
#[loom::compute] #[cold] fn cold(n: u8) -> u8 { n }

#[loom::test]
async fn runs() {
    assert_eq!(Cart(1).get().await + Cart(2).by_reference().await + Cart(3).apart().await, 6);
    assert_eq!(cold(1).await, 1);
}
