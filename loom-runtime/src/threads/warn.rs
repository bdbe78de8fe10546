//! Warnings for the people who run the program: each once per process, on standard error.

use std::io::{self, Write};

use crate::core::Core;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;

/// Starts a thread and joins it, to find out whether the system grants one.
pub(crate) fn try_thread() -> io::Result<()> {
    // The thread does nothing that could panic.
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

/// Prints a line to standard error, unless `warned` was set before.
pub(crate) fn warn_once(warned: &AtomicBool, text: &str) {
    if !warned.swap(true, Ordering::Relaxed) {
        // A closed standard error must not stop the program.
        let _ = writeln!(io::stderr(), "loom: {text}");
    }
}
