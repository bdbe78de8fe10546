//! Threads that the host starts for this library's own needs.

use std::io;

use loom_abi::{Status, ThreadKind};

use crate::core::attached;
use crate::error::LoomError;

/// The number of the keeper among the threads that the host starts for I/O.
const KEEPER: usize = 99;

/// Has the host start this library's keeper, if there is a host; gives the body back otherwise.
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
