//! The call of a function that awaits, most of whose polls cost too little to be measured.

use std::task::{Context, Poll};

use crate::bridge::{Outcome, nested_polls};
use crate::core::Core;
use crate::scheduler::Wake;
use crate::sync::Arc;

use super::super::current::{current_core, with_core};
use super::super::entering::begins_body;
use super::future::{Polled, count_panic};
use super::placing::{DEEPEST, Family};

/// A future that its caller's task polls, with the task's own waker, for as long as its polls are settled.
pub(crate) struct Settling<R> {
    polled: Polled<R>,
    runtime: Named,
    unasked: Unasked,
}

/// The runtime that the attribute names, if it names one.
struct Named(Option<Arc<Core>>);

/// Settled polls that need not ask this thread's verdict: to ask is half of what such a poll costs
/// (`loom-bench futures`). So what overrules a verdict counts up to three polls of less than a microsecond
/// later.
#[derive(Default)]
struct Unasked {
    left: u32,
    /// Those that were made, and are counted when the future asks again or ends.
    made: u32,
    /// The runtime that allowed them.
    runtime: u64,
}

impl Named {
    #[inline]
    fn with<R>(&self, f: impl Fn(&Core) -> R) -> Option<R> {
        match &self.0 {
            Some(core) => Some(f(core)),
            None => with_core(f),
        }
    }

    fn core(&self) -> Arc<Core> {
        self.0.as_ref().map_or_else(current_core, Arc::clone)
    }
}

impl<R> Settling<R> {
    pub(crate) fn new(polled: Polled<R>, named: Option<Arc<Core>>) -> Self {
        Self { polled, runtime: Named(named), unasked: Unasked::default() }
    }

    /// Polls for the outcome.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.polled.is_alone() && nested_polls() < DEEPEST && self.is_settled() {
            let Self { polled, runtime, .. } = self;
            let counts = CountsPanic(polled.family, runtime);
            let outcome = polled.poll_settled(cx);
            std::mem::forget(counts);
            return outcome;
        }
        self.count_unasked();
        self.unasked.left = 0;
        self.polled.poll_measured(cx, || self.runtime.core())
    }

    #[inline]
    fn is_settled(&mut self) -> bool {
        let Self { polled, runtime, unasked } = self;
        let family = polled.family;
        if !polled.has_begun() {
            let is_settled = runtime.with(|core| family.is_settled(core, Wake::Begin, true));
            if is_settled == Some(true) {
                begins_body();
            }
            return is_settled == Some(true);
        }
        if unasked.left > 0 {
            unasked.left -= 1;
            unasked.made += 1;
            return true;
        }
        let made = unasked.made;
        let next = |core: &Core| Some((family.settles_polls(core, made)?, core.id));
        let Some((left, runtime)) = runtime.with(next).flatten() else { return false };
        *unasked = Unasked { left, made: 0, runtime };
        true
    }

    #[cold]
    fn count_unasked(&mut self) {
        let Self { polled, runtime, unasked } = self;
        let made = std::mem::take(&mut unasked.made);
        if made > 0 {
            runtime.with(|core| {
                // A future that is dropped elsewhere is none of that runtime's.
                if core.id == unasked.runtime {
                    polled.family.count_polls(core, made);
                }
            });
        }
    }
}

impl<R> Drop for Settling<R> {
    #[inline]
    fn drop(&mut self) {
        if self.unasked.made > 0 {
            self.count_unasked();
        }
    }
}

/// Counts the panic that drops it.
struct CountsPanic<'a>(Family, &'a Named);

impl Drop for CountsPanic<'_> {
    #[cold]
    fn drop(&mut self) {
        count_panic(&self.1.core(), self.0);
    }
}
