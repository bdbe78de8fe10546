//! Futures that cross the boundary.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task;

use loom_abi::{Context, Poll, Status};

use crate::panics::drop_ignoring_panic;

use super::ledger::{self, Entry};
use super::pin;
use super::turn::Turn;
use super::waker::{LoweredWaker, with_waker};

struct Lowered<F> {
    future: ManuallyDrop<F>,
    turn: Turn,
    _entry: Entry,
}

/// Lowers a future of this side, for the other side to poll.
///
/// The payload of a panic in it is dropped: code that wants the payload catches it itself.
pub(super) fn lower<F>(future: F) -> loom_abi::Future
where
    F: Future<Output = ()> + Send + 'static,
{
    let lowered = Box::new(Lowered {
        future: ManuallyDrop::new(future),
        turn: Turn::default(),
        _entry: ledger::FUTURES.enter(),
    });
    loom_abi::Future { data: Box::into_raw(lowered).cast(), poll: poll::<F>, drop: drop_box::<F> }
}

unsafe extern "C" fn poll<F: Future<Output = ()>>(data: *mut (), context: *const Context) -> Poll {
    let lowered = data.cast::<Lowered<F>>();
    // SAFETY: X3, `data` is such a box; this part of it may be used during another call, too.
    let turn = unsafe { &(*lowered).turn };
    let Some(_turn) = turn.take() else { return Poll::PANICKED };
    // SAFETY: X3, nothing else uses the future, since this call has the turn.
    let future = unsafe { &mut (*lowered).future };
    // SAFETY: X3, the future is not moved out of its box before it is dropped there.
    let future = unsafe { Pin::new_unchecked(&mut **future) };
    // SAFETY: X4, the context belongs to this poll.
    unsafe { poll_pinned(future, context) }
}

/// # Safety
///
/// X4: `context` is the context that this poll received.
pub(super) unsafe fn poll_pinned<F>(future: Pin<&mut F>, context: *const Context) -> Poll
where
    F: Future<Output = ()>,
{
    let polled = |waker: &task::Waker| {
        catch_unwind(AssertUnwindSafe(|| future.poll(&mut task::Context::from_waker(waker))))
    };
    // SAFETY: X4, by this function's contract.
    match unsafe { with_waker(context, polled) } {
        Ok(task::Poll::Pending) => Poll::PENDING,
        Ok(task::Poll::Ready(())) => Poll::READY,
        Err(payload) => {
            drop_ignoring_panic(payload);
            Poll::PANICKED
        }
    }
}

unsafe extern "C" fn drop_box<F>(data: *mut ()) -> Status {
    pin::stay();
    let lowered = data.cast::<Lowered<F>>();
    // SAFETY: X3, `data` is such a box; this part of it may be used during another call, too.
    let turn = unsafe { &(*lowered).turn };
    // Within a poll, which uses the future afterwards: it is leaked.
    let Some(turn) = turn.take() else { return Status::REFUSED };
    turn.keep();
    // SAFETY: X3, nothing else uses the future, since this call has the turn.
    let future = unsafe { &mut (*lowered).future };
    let status = drop_caught(|| {
        // SAFETY: X2, this is its one drop; the box below drops no future.
        unsafe { ManuallyDrop::drop(future) };
    });
    // SAFETY: X2 and X9, the box is of `lower`, and is freed once.
    drop(unsafe { Box::from_raw(lowered) });
    status
}

/// Runs a destructor of this side.
pub(super) fn drop_caught(f: impl FnOnce()) -> Status {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => Status::DONE,
        Err(payload) => {
            drop_ignoring_panic(payload);
            Status::PANICKED
        }
    }
}

/// A future of the other side. Its output says only whether it ended or panicked: the result or
/// the panic payload stays on the other side.
pub(crate) struct ForeignFuture {
    raw: loom_abi::Future,
    is_over: bool,
    /// The lowered waker of the last poll, which the other side may have kept.
    kept: Option<LoweredWaker>,
}

/// The other side panicked, and keeps the panic payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

// SAFETY: X3, a lowered future may be sent to other threads.
unsafe impl Send for ForeignFuture {}
// SAFETY: X3, only an exclusive reference can poll it; a shared reference has no functions.
unsafe impl Sync for ForeignFuture {}

impl ForeignFuture {
    /// # Safety
    ///
    /// X2: `raw` was passed by value, and has no other holder.
    pub(super) unsafe fn raise(raw: loom_abi::Future) -> Self {
        Self { raw, is_over: false, kept: None }
    }
}

impl Future for ForeignFuture {
    type Output = Result<(), Panicked>;

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Result<(), Panicked>> {
        assert!(!self.is_over, "a future was polled after its end");
        let context = Context { waker: LoweredWaker::of(cx.waker(), &mut self.kept) };
        // SAFETY: X3, it has not ended, and the reference is exclusive; X4 for the context.
        match unsafe { (self.raw.poll)(self.raw.data, &raw const context) } {
            Poll::PENDING => task::Poll::Pending,
            other => {
                self.is_over = true;
                task::Poll::Ready(if other == Poll::READY { Ok(()) } else { Err(Panicked) })
            }
        }
    }
}

impl Drop for ForeignFuture {
    fn drop(&mut self) {
        // SAFETY: X2, this is its one drop. The maker's side handles a panic in it.
        unsafe { (self.raw.drop)(self.raw.data) };
    }
}
