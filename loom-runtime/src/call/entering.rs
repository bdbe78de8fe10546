//! The first step of a placed call: where its function has a limit, the call takes a permit. The work holds the permit
//! until it has ended. A call that has to wait does so in its caller's task.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::oneshot::Receiver;

use crate::core::{Admitted, Core, Function, Permit, Refusal};
use crate::sync::Arc;

use super::deadline::{DeadlineExceeded, deadline, now};
use super::decide::CallInfo;
use super::limits::limit_of;
use super::overriding;

/// A call that waits for a permit.
pub(super) struct Entering {
    function: Arc<Function>,
    since: Instant,
    /// `None` once the permit was given.
    waits: Option<(Admitted, Receiver<Permit>)>,
}

/// Whether a call may be placed.
pub(super) enum Entry {
    Free(Admitted, Terms),
    Waits(Entering),
}

/// On what terms a call is placed.
#[derive(Default)]
pub(super) struct Terms {
    /// Its part of its function's limit, where there is one.
    pub(super) permit: Option<Permit>,
    /// Whether the caller would rather be refused than wait ([`unwilling`]).
    pub(super) is_unwilling: bool,
}

/// Admits a call.
///
/// # Panics
///
/// Where work is refused: with the [`Refusal`] itself where the caller asks for one.
#[track_caller]
pub(super) fn admit(core: &Arc<Core>) -> Admitted {
    match Admitted::to(core) {
        Ok(admitted) => admitted,
        Err(refusal) if UNWILLING.replace(false) => resume_unwind(Box::new(refusal)),
        Err(refusal) => panic!("{refusal}"),
    }
}

/// A call of this function is about to begin.
///
/// # Panics
///
/// With a [`DeadlineExceeded`] where the deadline has passed.
pub(super) fn begins_in_time(function: &Function) {
    if let Some(at) = deadline()
        && let Some(by) = now().checked_duration_since(at)
    {
        function.counters.expired.add_one();
        let function = Some(function.site.name());
        resume_unwind(Box::new(DeadlineExceeded { function, by }));
    }
}

/// A call is about to be placed.
///
/// # Panics
///
/// With a [`DeadlineExceeded`] where the deadline has passed, and with a [`Refusal`] where the caller would rather be
/// refused than wait for the limit.
pub(super) fn enter(admitted: Admitted, info: CallInfo) -> Entry {
    let is_unwilling = UNWILLING.replace(false);
    let core = &Arc::clone(admitted.core());
    let function = info.function(core);
    begins_in_time(function);
    let over = overriding::of(core, function);
    let Some(limit) = limit_of(over, function) else {
        return Entry::Free(admitted, Terms { permit: None, is_unwilling });
    };
    let gate = function.gate(&core.gates);
    if is_unwilling {
        if let Some(permit) = gate.try_enter(limit) {
            return Entry::Free(admitted, Terms { permit: Some(permit), is_unwilling });
        }
        core.counters.refused.add_one();
        function.counters.refused.add_one();
        resume_unwind(Box::new(Refusal::AtLimit(limit)));
    }
    match gate.enter(limit, over.priority.unwrap_or(info.priority)) {
        Ok(permit) => Entry::Free(admitted, Terms { permit: Some(permit), is_unwilling }),
        Err(permit) => {
            let function = Arc::clone(function);
            let waits = Some((admitted, permit));
            Entry::Waits(Entering { function, since: Instant::now(), waits })
        }
    }
}

impl Entering {
    /// Waits for the permit. The admission goes with it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Admitted, Permit)> {
        let Some((_, permit)) = &mut self.waits else { unreachable!("it was given once") };
        let permit = ready!(Pin::new(permit).poll(cx));
        let (Some((admitted, _)), Ok(permit)) = (self.waits.take(), permit) else {
            unreachable!("the gate keeps the sender until it gives the permit")
        };
        self.function.counters.limit_waits.record(self.since.elapsed());
        Poll::Ready((admitted, permit))
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let Some((admitted, _)) = &self.waits {
            self.function.counters.abandoned.add_one();
            admitted.core().counters.abandoned.add_one();
        }
    }
}

thread_local! {
    /// Whether the call that is made next would rather be refused than wait. The call takes this back, so that
    /// it does not count for calls that its body makes.
    static UNWILLING: Cell<bool> = const { Cell::new(false) };
}

/// The body of a call runs: what it calls may wait.
#[inline]
pub(super) fn begins_body() {
    UNWILLING.set(false);
}

/// Calls `f`, whose compute calls would rather be refused than wait.
pub(super) fn unwilling<R>(f: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            UNWILLING.set(self.0);
        }
    }
    let _back = Back(UNWILLING.replace(true));
    f()
}
