//! Keeping this library mapped while a thread is on its way out of it.
//!
//! The last that a thread does here is to return, after what it has done was counted. Who unmaps
//! the library then must not do so under its feet. A system that unmaps libraries at all keeps one
//! while a thread has values of its thread-locals that are to be dropped (glibc, for as long as the
//! thread lives); so such a thread is given one.

struct Pin;

impl Drop for Pin {
    fn drop(&mut self) {}
}

thread_local! {
    static PIN: Pin = const { Pin };
}

/// The library stays for as long as this thread.
pub(super) fn stay() {
    // A thread that is being torn down has had it.
    let _ = PIN.try_with(|_pin| ());
}
