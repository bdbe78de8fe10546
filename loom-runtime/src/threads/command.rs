//! Child processes that do not inherit a thread's CPU mask and priority.

use std::process::Command;

use crate::topology::{CoreBudget, os};

/// Makes `command` start its process with all CPUs of this process and at normal priority.
///
/// A child process inherits the CPU mask and the scheduling class of the thread that starts it: one
/// CPU from an I/O worker, the idle class from a compute thread. An unprivileged process cannot
/// leave the idle class, so start a child from async code or a blocking function, not from
/// compute work. This has no effect on systems other than Linux.
///
/// The argument is a [`std::process::Command`]; `tokio::process::Command` returns its own from
/// `as_std_mut`. If the system refuses to set the mask or the priority, the child keeps the
/// inherited one.
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
