//! Threads that the host starts for this library itself.

use std::io;

use loom_abi::{Status, ThreadKind};

use crate::core::attached;
use crate::error::LoomError;

/// The number of the keeper among the threads that the host starts for I/O.
const KEEPER: usize = 99;

/// Asks the host to start this library's keeper. Returns the body where there is no host.
pub(crate) fn start_keeper<F>(body: F) -> Result<io::Result<()>, F>
where
    F: FnOnce() + Send + 'static,
{
    let Some(host) = attached::host() else { return Err(body) };
    Ok(match host.start_thread(ThreadKind::IO, KEEPER, body) {
        Status::DONE => Ok(()),
        refused => Err(io::Error::other(LoomError::Host(refused.0))),
    })
}
