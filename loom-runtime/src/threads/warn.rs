//! Warnings for the people who run the program: each once per process, on standard error.

use std::io;
#[cfg(not(target_os = "linux"))]
use std::io::Write;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags};

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
        say(text);
    }
}

/// In bytes: a pipe that can be written to has room for a page.
const LONGEST_LINE: usize = 4000;

/// Prints a line to standard error, if it has room for one. The keeper calls this, and must not wait
/// for the reader of a full pipe.
pub(crate) fn say(text: &str) {
    let text = crate::text::beginning(text, LONGEST_LINE);
    // A closed standard error must not stop the program.
    let _ = write_if_room(&io::stderr(), &format!("loom: {text}\n"));
}

/// Writes past the lock of `io::stderr`, which another thread may hold while it waits for room.
#[cfg(target_os = "linux")]
fn write_if_room(file: &impl AsFd, line: &str) -> io::Result<usize> {
    let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut polled = [PollFd::new(file, PollFlags::OUT)];
    rustix::event::poll(&mut polled, Some(&timeout))?;
    let [polled] = polled;
    if !polled.revents().contains(PollFlags::OUT) {
        return Ok(0);
    }
    // It has room for such a line (`LONGEST_LINE`).
    Ok(rustix::io::write(file, line.as_bytes())?)
}

#[cfg(not(target_os = "linux"))]
fn write_if_room(mut file: &io::Stderr, line: &str) -> io::Result<usize> {
    file.write(line.as_bytes())
}

#[cfg(all(test, target_os = "linux", not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_takes_no_line_and_stops_nobody() {
        let (read, write) = io::pipe().expect("there are file descriptors");
        let line = "x".repeat(100);
        let lines = (0..100_000).take_while(|_| {
            write_if_room(&write, &line).expect("somebody may read it") == line.len()
        });
        assert!((1..100_000).contains(&lines.count()), "a pipe has room for some lines");
        drop(read);
        let is_taken = write_if_room(&write, &line).is_ok_and(|written| written > 0);
        assert!(!is_taken, "nobody can read it");
    }
}
