//! Binding a thread to one CPU, where the crate `core_affinity` can do it.

use std::io;

use core_affinity::CoreId;

/// One more than the largest CPU number that `core_affinity` takes.
const CPUS: usize = if cfg!(windows) { usize::BITS as usize } else { 1024 };

/// Binds the calling thread to a CPU. `None` if that needs another call: the number is too large.
pub(super) fn pin(cpu: usize) -> Option<io::Result<()>> {
    if cpu >= CPUS {
        return None;
    }
    let is_bound = core_affinity::set_for_current(CoreId { id: cpu });
    Some(if is_bound { Ok(()) } else { Err(refusal()) })
}

/// Why the system refused.
#[cfg(not(target_os = "macos"))]
fn refusal() -> io::Error {
    io::Error::last_os_error()
}

/// The call that macOS has leaves no error code.
#[cfg(target_os = "macos")]
fn refusal() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "macOS binds no thread to a CPU on this processor")
}
