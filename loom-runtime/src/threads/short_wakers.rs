//! Wakers that are known to return soon.
//!
//! A drainer that is about to wake a task counts as available already, so that the task's next call
//! fetches no other drainer. That is right only if the wake returns soon. A waker of the program may
//! take any time, and may even wait for a call; those of tokio's tasks put a task into a queue.
//!
//! One case is not told apart: a task of a `LocalSet` that the program polls with a waker of its own.
//! Its wakers are those of other tasks, and call that waker. Where it takes long, the keeper fetches
//! another drainer at its next look.

use std::future::poll_fn;
use std::task::{Context, Poll, RawWakerVTable, Waker};

use tokio::runtime::Builder;

use crate::sync::{OnceLock, Parker, thread, unpark_waker};

/// By the addresses of their tables: a copy of a table is not known, and counts as slow.
static KNOWN: OnceLock<Vec<usize>> = OnceLock::new();

/// A waker that is known.
pub(super) struct ShortWaker(Waker);

impl ShortWaker {
    /// Learns them first, if the keeper has not started.
    pub(super) fn of(waker: &Waker) -> Option<Self> {
        if KNOWN.get().is_none() {
            // The calling thread may be one of a tokio runtime. Where the system refuses the thread,
            // none is known.
            let learned = thread::Builder::new().name("loom-learn".to_owned()).spawn(learn);
            let _ = learned.map(thread::JoinHandle::join);
        }
        contain(waker).then(|| Self(waker.clone()))
    }

    pub(super) fn wake(self) {
        self.0.wake();
    }
}

/// Whether a call of this waker returns soon. Before the keeper has learned it, none does.
pub(super) fn contain(waker: &Waker) -> bool {
    KNOWN.get().is_some_and(|known| known.contains(&address(waker)))
}

/// Learns the wakers of this library's tokio. Called on the keeper as it starts: the thread must not
/// be one of a tokio runtime.
pub(super) fn learn() {
    KNOWN.get_or_init(find);
}

/// Asks tokio for one waker of each kind.
fn find() -> Vec<usize> {
    let mut known = vec![address(&unpark_waker()), address(&Parker::new().waker())];
    let Ok(runtime) = Builder::new_current_thread().build() else { return known };
    let look = || poll_fn(|cx: &mut Context<'_>| Poll::Ready(address(cx.waker())));
    // Of tasks, on every kind of runtime and in a `LocalSet`.
    known.extend(runtime.block_on(runtime.spawn(look())));
    // Of `block_on`: on a runtime that the calling thread drives, and on others.
    known.extend([runtime.block_on(look()), runtime.handle().block_on(look())]);
    known
}

fn address(waker: &Waker) -> usize {
    std::ptr::from_ref::<RawWakerVTable>(waker.vtable()).addr()
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    /// Whether the waker of its task is known.
    struct Look;

    impl Future for Look {
        type Output = bool;

        fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
            Poll::Ready(contain(cx.waker()))
        }
    }

    #[test]
    fn wakers_of_tokio_are_known_and_others_are_not() {
        learn();
        let many = Builder::new_multi_thread().worker_threads(1).build().expect("it starts");
        let one = Builder::new_current_thread().build().expect("it starts");
        assert!(many.block_on(many.spawn(Look)).expect("no panic"), "a task");
        assert!(many.block_on(Look), "`block_on`");
        assert!(one.block_on(one.spawn(Look)).expect("no panic"), "a task of the one thread");
        assert!(one.block_on(Look), "`block_on` of the one thread");
        let set = tokio::task::LocalSet::new();
        assert!(
            set.block_on(&one, async { tokio::task::spawn_local(Look).await }).expect("no panic")
        );
        assert!(!contain(Waker::noop()));
    }
}
