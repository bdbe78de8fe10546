//! What is said to the people who run the program: once in its life, on standard error.

use std::io::{self, Write};

use crate::core::Core;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;

/// Whether the system has a thread, given back before this returns.
pub(crate) fn try_thread() -> io::Result<()> {
    // It does nothing that could panic.
    thread::Builder::new().spawn(|| ())?.join().or(Ok(()))
}

/// Counts and reports that blocking functions wait because the system refuses threads.
pub(crate) fn threads_were_refused(core: &Core, error: &io::Error) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    core.counters.threads_refused.add_one();
    warn_once(
        &WARNED,
        &format!(
            "blocking functions wait because the system refuses threads ({error}): raise the \
             limit on threads (`ulimit -u`, or `pids.max` of the control group)"
        ),
    );
}

/// Prints a line to standard error, once in the life of the process.
pub(crate) fn warn_once(said: &AtomicBool, text: &str) {
    if !said.swap(true, Ordering::Relaxed) {
        // A closed standard error is no reason to stop.
        let _ = writeln!(io::stderr(), "loom: {text}");
    }
}
