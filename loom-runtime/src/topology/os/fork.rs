//! Whether this process is a forked child of the one that started a thread.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// How many generations things are kept apart for that are one for each.
pub(crate) const GENERATIONS: usize = 16;

/// How many forks lie between the first process and this one.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// The number of this process in the line of forks; it differs from what a parent read.
#[inline]
pub(crate) fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed)
}

/// Counts forks from now on. To be called before the first thread starts.
#[cfg(unix)]
pub(crate) fn watch_forks() {
    use std::sync::Once;

    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[expect(unsafe_code, reason = "no safe call tells a child that it is one")]
        // SAFETY: T3, `in_child` only adds to an atomic; the library stays loaded, since the
        // process's threads run its code.
        let _out_of_memory = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
pub(crate) fn watch_forks() {}
