//! Calls of annotated functions as they are placed: at once, or when their function's limit lets them.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::core::{Admitted, Permit};
use crate::pool::{Held, Kind};
use crate::scheduler::Decision;

use super::adaptive::{AdaptiveFuture, PlacedWork, place_decided};
use super::decide::{CallInfo, decide};
use super::entering::{Entering, Entry, Terms, begins_in_time, enter};
use super::submit::{AnyWork, Ended, Work};

/// A call that waits, and is placed then.
enum Limited<R> {
    /// With the decision where it was made before.
    Waits(Entering, CallInfo, Option<Decision>, Box<dyn Later<R>>),
    Placed(AdaptiveFuture<R>),
    Over,
}

/// The work of a call that waits.
trait Later<R>: Send {
    fn place(
        self: Box<Self>,
        admitted: Admitted,
        info: CallInfo,
        decision: Option<Decision>,
        permit: Permit,
    ) -> AdaptiveFuture<R>;
}

impl<F, R> Later<R> for Work<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn place(
        mut self: Box<Self>,
        admitted: Admitted,
        info: CallInfo,
        decision: Option<Decision>,
        permit: Permit,
    ) -> AdaptiveFuture<R> {
        begins_in_time(info.function(admitted.core()));
        let decision = decision.unwrap_or_else(|| decide(admitted.core(), info));
        let terms = Terms { permit: Some(permit), is_unwilling: false };
        let placed = place_decided(admitted, info, decision, terms, &mut *self);
        AdaptiveFuture::of(placed, self.ended())
    }
}

/// The closure and the result are moved, never pinned.
impl<R> Unpin for Limited<R> {}

impl<R> Future for Limited<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        if let Self::Waits(entering, ..) = &mut *self {
            let (admitted, permit) = ready!(entering.poll(cx));
            let Self::Waits(_, info, decision, work) = mem::replace(&mut *self, Self::Over) else {
                unreachable!("it waits")
            };
            *self = Self::Placed(work.place(admitted, info, decision, permit));
        }
        match &mut *self {
            Self::Placed(call) => Pin::new(call).poll(cx),
            _ => panic!("a compute function was polled after it had panicked"),
        }
    }
}

/// The kind of held values that are adaptive calls.
pub(super) struct Adaptive;

impl Kind for Adaptive {
    type Of<R> = AdaptiveFuture<R>;
}

/// The kind of held values that are calls which wait for their function's limit.
struct AtLimit;

impl Kind for AtLimit {
    type Of<R> = Limited<R>;
}

/// A measured call that was placed. Compiled once for each type of results.
#[inline(never)]
fn held<R: Send>(placed: PlacedWork, ended: Ended<R>) -> Held<R> {
    Held::new::<Adaptive>(AdaptiveFuture::of(placed, ended))
}

/// Places a call that was admitted, and decided if so said, once its function's limit lets it.
#[track_caller]
pub(super) fn enter_and_place<F, R>(
    admitted: Admitted,
    info: CallInfo,
    decision: Option<Decision>,
    f: F,
) -> Held<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let mut work = Work::new(f);
    match enter_and_place_any(admitted, info, decision, &mut work) {
        Ok(placed) => held(placed, work.ended()),
        Err(entering) => {
            Held::new::<AtLimit>(Limited::Waits(entering, info, decision, Box::new(work)))
        }
    }
}

/// [`enter_and_place`] for work of any type.
#[track_caller]
fn enter_and_place_any(
    admitted: Admitted,
    info: CallInfo,
    decision: Option<Decision>,
    work: &mut dyn AnyWork,
) -> Result<PlacedWork, Entering> {
    match enter(admitted, info) {
        Entry::Free(admitted, terms) => {
            let decision = decision.unwrap_or_else(|| decide(admitted.core(), info));
            Ok(place_decided(admitted, info, decision, terms, work))
        }
        Entry::Waits(entering) => Err(entering),
    }
}
