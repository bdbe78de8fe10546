//! Futures that are lent to the other side's `block_on`, and never leave their thread.

use std::cell::UnsafeCell;
use std::pin::Pin;

use loom_abi::{Context, Poll, Status};

use crate::sync::Arc;
use crate::sync::modelled::{ThreadNumber, thread_number};

use super::future::{drop_caught, poll_pinned};
use super::ledger::{self, Entry};
use super::pin;
use super::turn::{Taken, Turn};

/// The other side has one count, and [`lend`] has the other one until it has dropped the future.
struct Lent<F> {
    home: ThreadNumber,
    turn: Turn,
    /// `None` once it was dropped. Only the thread that has the turn uses it, and only at home.
    future: UnsafeCell<Option<F>>,
    _entry: Entry,
}

/// Lends a future to `give`, which calls `block_on` of the other side.
///
/// However that side treats the future, it is polled and dropped on this thread alone, and was
/// dropped when this returns. So it may borrow, and need not be `Send`.
pub(super) fn lend<F>(future: F, give: impl FnOnce(loom_abi::Future) -> Status) -> Status
where
    F: Future<Output = ()>,
{
    let lent = Ended(Arc::new(Lent {
        home: thread_number(),
        turn: Turn::default(),
        future: UnsafeCell::new(Some(future)),
        _entry: ledger::FUTURES.enter(),
    }));
    let data = Arc::into_raw(Arc::clone(&lent.0)).cast_mut();
    give(loom_abi::Future { data: data.cast(), poll: poll::<F>, drop: drop_count::<F> })
}

/// Drops the future before the count, so that no other thread does.
struct Ended<F>(Arc<Lent<F>>);

impl<F> Drop for Ended<F> {
    fn drop(&mut self) {
        // The call that the future was lent to has returned, so no poll is under way.
        if let Some(turn) = self.0.take_turn() {
            self.0.end(turn);
        }
    }
}

impl<F> Lent<F> {
    /// `None` on another thread, and within another call.
    fn take_turn(&self) -> Option<Taken<'_>> {
        if self.home == thread_number() { self.turn.take() } else { None }
    }

    /// Drops the future, if there is one still.
    fn end(&self, _turn: Taken<'_>) -> Status {
        // SAFETY: X10, this is its thread, and this call has the turn.
        let future = unsafe { &mut *self.future.get() };
        // The assignment drops it where it is, since it is pinned.
        drop_caught(|| *future = None)
    }
}

unsafe extern "C" fn poll<F: Future<Output = ()>>(data: *mut (), context: *const Context) -> Poll {
    // SAFETY: X10, the caller has not dropped it yet, so it has a count.
    let lent = unsafe { &*data.cast_const().cast::<Lent<F>>() };
    let Some(_turn) = lent.take_turn() else { return Poll::PANICKED };
    // SAFETY: X10, this is its thread, and this call has the turn.
    let Some(future) = (unsafe { &mut *lent.future.get() }) else { return Poll::PANICKED };
    // SAFETY: X10, the future stays where it is until it is dropped there.
    let future = unsafe { Pin::new_unchecked(future) };
    // SAFETY: X4, the context belongs to this poll.
    unsafe { poll_pinned(future, context) }
}

unsafe extern "C" fn drop_count<F>(data: *mut ()) -> Status {
    pin::stay();
    // SAFETY: X2 and X10, this is its one drop, which gives up the caller's count.
    let lent = unsafe { Arc::from_raw(data.cast_const().cast::<Lent<F>>()) };
    // Where it is refused, `lend` drops the future.
    lent.take_turn().map_or(Status::REFUSED, |turn| lent.end(turn))
}
