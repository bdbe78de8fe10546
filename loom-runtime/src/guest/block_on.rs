//! Blocks the calling thread on a future, where the host allows the thread to wait.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use loom_abi::Status;
use tokio::runtime::worker_index;

use crate::boundary::HostRef;
use crate::core::{Core, Refusal, context};
use crate::sync::Arc;

/// Why a thread must not wait for a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockOnError {
    /// It drives async tasks, of the host or of this library.
    OnAWorker,
    /// It runs compute work, of the host or of a plug-in, and other threads may wait for it.
    OnAComputeThread,
    /// The host has ended.
    ShutDown,
}

impl fmt::Display for BlockOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnAWorker => {
                "this thread drives async tasks, and must not wait for one: await the future \
                 instead, or call from `spawn_blocking`"
            }
            Self::OnAComputeThread => {
                "this thread runs compute work, and the future may wait for work of this thread: \
                 await the future in a task, and pass its result to the compute work"
            }
            Self::ShutDown => return Refusal::ShutDown.fmt(f),
        })
    }
}

impl std::error::Error for BlockOnError {}

/// Drives `future` on the calling thread, unless the host refuses.
pub(crate) fn block_on<F: Future>(
    core: &Arc<Core>,
    host: &HostRef,
    future: F,
) -> Result<F::Output, BlockOnError> {
    // The host does not know the workers of this library's own tokio runtime.
    if worker_index().is_some() {
        return Err(BlockOnError::OnAWorker);
    }
    let _context = context::drive(Arc::clone(core));
    let mut output = None;
    let status = host.block_on(async {
        let mut future = pin!(future);
        let caught = |cx: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(cx)
        })) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => Poll::Ready(Err(payload)),
        };
        output = Some(std::future::poll_fn(caught).await);
    });
    match (output, status) {
        (Some(Ok(value)), _) => Ok(value),
        (Some(Err(payload)), _) => resume_unwind(payload),
        (None, Status::ON_A_WORKER) => Err(BlockOnError::OnAWorker),
        (None, Status::ON_A_COMPUTE_THREAD) => Err(BlockOnError::OnAComputeThread),
        (None, _) => Err(BlockOnError::ShutDown),
    }
}
