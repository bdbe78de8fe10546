//! Calls that borrow: `lend` returns only when the job is done (rule B7).

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{thread, unpark_waker};

use super::complete::Job;
use super::future::Call;
use super::outcome::{Observer, Outcome, Priority};
use super::pair::pair;

thread_local! {
    /// Made once for each thread, so that a call costs no allocation.
    static OWN_WAKER: Waker = unpark_waker();
}

fn own_waker() -> Waker {
    // While the thread's locals are destroyed, each call makes a waker of its own.
    OWN_WAKER.try_with(Waker::clone).unwrap_or_else(|_| unpark_waker())
}

/// A call that borrows, as seen by the thread that waits for it.
pub(crate) struct Lent<'a, R>(&'a mut Call<R>);

impl<R> Lent<'_, R> {
    /// Whether the job is done, so that `park` would return at once.
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Parks the thread until the job is done.
    pub(crate) fn park(&self) {
        if self.is_done() {
            return;
        }
        // Any code may unpark the thread, so the state is checked after each park.
        while !self.is_done() {
            thread::park();
        }
        // What unparked the thread may have meant the task that waits here, or another future of the
        // task, which the executor polls only if it finds the thread unparked.
        thread::current().unpark();
    }
}

/// Passes a job that runs `f` to `submit`, and waits for its end. `wait` may wait in its own way;
/// if it returns before the job is done, the thread parks.
pub(crate) fn lend<F, R, T>(
    f: F,
    observer: T,
    priority: Priority,
    submit: impl FnOnce(Job),
    wait: impl FnOnce(&Lent<'_, R>),
) -> Outcome<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
    T: Observer,
{
    /// Waits for the job also during an unwind (B7).
    struct Return<R>(Call<R>);
    impl<R> Drop for Return<R> {
        fn drop(&mut self) {
            Lent(&mut self.0).park();
        }
    }
    // First: making a waker may unwind, and at this point nothing is lent yet.
    let waker = own_waker();
    let mut cx = Context::from_waker(&waker);
    // SAFETY: B7, the guard below waits for the end of the job, and is dropped before anything that
    // the job borrows. The guard cannot be forgotten: it is in this frame, and not in a future.
    let (job, call) = unsafe { pair(f, observer, priority.into()) };
    let mut call = Return(call);
    // Declared after the guard: an unwind before `submit` drops the job first, which refuses the
    // call, and then the guard.
    let job = job;
    // The waker is shown before a drainer can take the job, so it is the call's only waker.
    let _pending = Pin::new(&mut call.0).poll(&mut cx);
    submit(job);
    wait(&Lent(&mut call.0));
    Lent(&mut call.0).park();
    match Pin::new(&mut call.0).poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("the thread has parked until the job was done"),
    }
}
