//! Keeps this library mapped until a thread has left its code.
//!
//! A thread still has to return from this library after it has counted its work out. The library
//! must not be unmapped before that return. A system that unmaps libraries at all keeps one mapped
//! while a thread has values of its thread-locals that are to be dropped (glibc: for as long as the
//! thread lives). So such a thread gets one.
//!
//! A thread that ends drops its thread-locals one by one, and the destructor of another one may give
//! a value back after this one has gone. Then nothing tells when the thread has left the library, so
//! the library stays for good.

use std::cell::Cell;
use std::mem;

use super::ledger;

/// Whether the thread stays.
struct Pin(Cell<bool>);

impl Drop for Pin {
    fn drop(&mut self) {}
}

thread_local! {
    static PIN: Pin = const { Pin(Cell::new(false)) };
}

/// Keeps the library mapped for as long as this thread lives, or for good.
pub(super) fn stay() {
    let stays = PIN.try_with(|pin| pin.0.set(true));
    if stays.is_err() {
        mem::forget(ledger::BODIES.enter());
    }
}

#[cfg(all(test, feature = "plugin", feature = "plugin-host"))]
pub(super) fn stays() -> bool {
    PIN.with(|pin| pin.0.get())
}
