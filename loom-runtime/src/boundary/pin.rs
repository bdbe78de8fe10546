//! Keeps this library mapped until a thread has left its code.
//!
//! A thread still has to return from this library after it has counted its work out. The library
//! must not be unmapped before that return. A system that unmaps libraries at all keeps one mapped
//! while a thread has values of its thread-locals that are to be dropped (glibc: for as long as the
//! thread lives). So such a thread gets one.

use std::cell::Cell;

/// Whether the thread stays.
struct Pin(Cell<bool>);

impl Drop for Pin {
    fn drop(&mut self) {}
}

thread_local! {
    static PIN: Pin = const { Pin(Cell::new(false)) };
}

/// Keeps the library mapped for as long as this thread lives.
pub(super) fn stay() {
    // The access fails only while the thread is torn down, after it had the value.
    let _ = PIN.try_with(|pin| pin.0.set(true));
}

#[cfg(all(test, feature = "plugin", feature = "plugin-host"))]
pub(super) fn stays() -> bool {
    PIN.with(|pin| pin.0.get())
}
