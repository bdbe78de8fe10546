//! The attribute leaves a function unsafe.

#![deny(warnings)]
#![allow(unsafe_code)]

/// # Safety
///
/// `address` is that of a byte.
#[loom::compute]
pub unsafe fn peek(address: usize, add: u8) -> u8 {
    // SAFETY: as the caller promises.
    unsafe { *(address as *const u8) + add }
}

#[loom::main]
async fn main() {
    static BYTE: u8 = 7;
    // SAFETY: it is a byte's, and stays.
    assert_eq!(unsafe { peek(&raw const BYTE as usize, 1) }.await, 8);
}

#[test]
fn runs() {
    main();
}
