//! Child processes that do not inherit a thread's place.

use std::process::Command;

use crate::topology::{CoreBudget, os};

/// Makes `command` start its process with all CPUs of this process and at normal priority.
///
/// A child process inherits the mask and the class of the thread that starts it: one CPU
/// from an I/O worker, the idle class from a compute thread. An unprivileged process cannot
/// leave the idle class, so start a child from async code or a blocking function, not from
/// compute work. Without effect on systems other than Linux.
///
/// Takes a [`std::process::Command`]; `tokio::process::Command` lends its own by
/// `as_std_mut`. What the system refuses is left as it is.
///
/// ```
/// use std::process::Command;
///
/// let mut child = Command::new("true");
/// let status = loom::command_reset(&mut child).status()?;
/// assert!(status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn command_reset(command: &mut Command) -> &mut Command {
    os::reset_on_exec(command, &CoreBudget::discover().cpus);
    command
}
