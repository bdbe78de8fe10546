//! Adaptive calls: decided by the scheduler, measured on either arm.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::scheduler::{Arm, ComputeHint, Evidence, Site, decide};
use crate::sync::{Arc, thread};

use super::compute::{ComputeFuture, How, offload};
use super::core::{Core, Function};
use super::lifecycle::Admitted;

/// A call that Loom placed, as a future of its result.
///
/// An offloaded call behaves as [`ComputeFuture`] does. An inline call has already ended
/// when this exists; its result, or its panic, waits for the first poll.
#[must_use = "the work runs, but its result is lost; await it, or say `.detach()`"]
pub struct AdaptiveFuture<R>(Placed<R>);

enum Placed<R> {
    /// `None` once it was taken.
    Inline(Option<thread::Result<R>>),
    Offloaded(ComputeFuture<R>),
}

/// Runs `f` where the scheduler says, as a call of `site`.
#[track_caller]
pub(crate) fn place<F, R>(
    core: &Arc<Core>,
    site: &'static Site,
    hint: ComputeHint,
    f: F,
) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let admitted = Admitted::or_panic(core);
    let function = core.function(site);
    let evidence = Evidence {
        caller: core.caller(),
        run_time: function.run_time.mean_with_prior(hint.prior()),
        overhead: core.overhead.mean(),
        calls: function.calls(),
        was_slow: function.slow.look(),
    };
    AdaptiveFuture(match decide(evidence) {
        Arm::InlineTokio => {
            let result = run_inline(function, f);
            drop(admitted);
            Placed::Inline(Some(result))
        }
        Arm::OffloadRayon => {
            let how = How { site: Some(site), ..How::default() };
            let call = ComputeFuture::or_panic(offload(core, admitted, how, f));
            function.counters.offloaded.add_one();
            Placed::Offloaded(call)
        }
    })
}

fn run_inline<R>(function: &Function, f: impl FnOnce() -> R) -> thread::Result<R> {
    function.counters.inline.add_one();
    let started = Instant::now();
    // Caught so that both arms give a panic to whoever awaits, at the same place.
    let result = catch_unwind(AssertUnwindSafe(f));
    function.ran(started.elapsed());
    if result.is_err() {
        function.counters.panicked.add_one();
    }
    result
}

impl Function {
    /// Takes in how long one call took.
    pub(crate) fn ran(&self, run_time: Duration) {
        self.run_time.record(run_time);
        self.slow.record(run_time);
        self.counters.run_times.record(run_time);
    }

    /// Calls that were decided so far.
    pub(crate) fn calls(&self) -> u64 {
        self.counters.inline.count() + self.counters.offloaded.count()
    }
}

impl<R> AdaptiveFuture<R> {
    /// Where the call runs, or ran.
    pub fn arm(&self) -> Arm {
        match self.0 {
            Placed::Inline(_) => Arm::InlineTokio,
            Placed::Offloaded(_) => Arm::OffloadRayon,
        }
    }

    /// Lets the work run to its end without anyone waiting for it.
    pub fn detach(self) {
        if let Placed::Offloaded(call) = self.0 {
            call.detach();
        }
    }
}

/// A result is only ever moved out, never polled in place.
impl<R> Unpin for AdaptiveFuture<R> {}

impl<R> Future for AdaptiveFuture<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            Placed::Inline(result) => match result.take() {
                Some(Ok(value)) => Poll::Ready(value),
                Some(Err(payload)) => resume_unwind(payload),
                None => panic!("an adaptive call was polled after it had completed"),
            },
            Placed::Offloaded(call) => Pin::new(call).poll(cx),
        }
    }
}

impl<R> fmt::Debug for AdaptiveFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveFuture").field("arm", &self.arm()).finish_non_exhaustive()
    }
}
