//! Bodies that never return, or return from a loop alone.

#![deny(warnings)]

#[loom::compute]
fn never(text: String) -> ! {
    panic!("{text}");
}

#[loom::compute]
fn always_fails(n: u32) -> u32 {
    panic!("{n}");
}

#[loom::compute]
fn endless(n: u32) -> u32 {
    let mut left = n;
    loop {
        if left == 0 {
            break n;
        }
        left -= 1;
    }
}

#[loom::test]
async fn runs() {
    assert!(tokio::spawn(async { never("as told".to_owned()).await }).await.is_err());
    assert!(tokio::spawn(always_fails(1)).await.is_err());
    assert_eq!(endless(3).await, 3);
}
