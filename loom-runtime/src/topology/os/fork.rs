//! Whether this process was forked from one that has started threads.

#[cfg(unix)]
use crate::sync::Once;
use crate::sync::atomic::{AtomicBool, Ordering};

static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// Whether the process was forked since the first call of [`watch_forks`].
#[inline]
pub(crate) fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// Detects forks from now on. It has to be called before the first thread starts.
#[cfg(unix)]
pub(crate) fn watch_forks() {
    extern "C" fn in_child() {
        IS_FORKED.store(true, Ordering::Relaxed);
    }
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[expect(unsafe_code, reason = "no safe call detects a fork")]
        // SAFETY: T3, `in_child` only writes an atomic; the library stays loaded, since threads of
        // the process run its code.
        let _out_of_memory = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
pub(crate) fn watch_forks() {}
