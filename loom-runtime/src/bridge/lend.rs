//! Calls that borrow: they come back only when the job is done (rule B7).

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, thread};

use super::complete::Job;
use super::future::Call;
use super::outcome::{Observer, Outcome, Priority};
use super::pair::pair;

/// Wakes the thread that made it.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// Made once a thread, so that a call costs no allocation.
    static OWN_WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

fn own_waker() -> Waker {
    // A thread that is being torn down makes one for the moment.
    OWN_WAKER
        .try_with(Waker::clone)
        .unwrap_or_else(|_| Waker::from(Arc::new(Unpark(thread::current()))))
}

/// A call that borrows, and that somebody waits for on the spot.
pub(crate) struct Lent<'a, R>(&'a mut Call<R>);

impl<R> Lent<'_, R> {
    /// Whether the wait would be over at once.
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Parks the thread until the job is done.
    pub(crate) fn park(&self) {
        // The park's token is anybody's, so a look comes after each.
        while !self.is_done() {
            thread::park();
        }
    }
}

/// Has `f` run by whoever takes the job that `submit` is given, and waits for it: `wait` may
/// do so in its own way, and what it leaves is parked for.
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
    /// Waits also where something unwinds (B7).
    struct Return<R>(Call<R>);
    impl<R> Drop for Return<R> {
        fn drop(&mut self) {
            Lent(&mut self.0).park();
        }
    }
    // First, since where there is none this unwinds, and then nothing is lent yet.
    let waker = own_waker();
    let mut cx = Context::from_waker(&waker);
    // SAFETY: B7, the guard below is dropped before anything that is borrowed here, and waits
    // for the end of the job: this frame, unlike a future, cannot be forgotten.
    let (job, call) = unsafe { pair(f, observer, priority) };
    let mut call = Return(call);
    // Declared after the guard, so that whatever unwinds before `submit` drops it first, which
    // refuses the call.
    let job = job;
    // Shown before there is anybody to take it, so it is the one waker of the call.
    let _pending = Pin::new(&mut call.0).poll(&mut cx);
    submit(job);
    wait(&Lent(&mut call.0));
    Lent(&mut call.0).park();
    match Pin::new(&mut call.0).poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it was done"),
    }
}
