//! Parameters of types and constants, of functions and of their implementations.

use std::fmt::Display;
use std::marker::PhantomData;

#[loom::compute]
fn show<T, const N: usize>(items: [T; N]) -> String
where
    T: Display + Send + 'static,
    [T; N]: Sized,
{
    items.iter().map(ToString::to_string).collect()
}

struct Tagged<T: 'static, const N: u8>(PhantomData<T>);

impl<T: Send + 'static, const N: u8> Tagged<T, N> {
    #[loom::compute]
    fn number(plus: u8) -> u8 {
        N + plus
    }

    #[loom::compute]
    fn both<U: Default + Into<u64> + Send + 'static>(self, add: u64) -> u64 {
        U::default().into() + u64::from(N) + add
    }
}

#[loom::test]
async fn runs() {
    assert_eq!(show([1, 2]).await, "12");
    assert_eq!(Tagged::<u8, 7>::number(1).await, 8);
    assert_eq!(Tagged::<u8, 7>(PhantomData).both::<u32>(1).await, 8);
}
