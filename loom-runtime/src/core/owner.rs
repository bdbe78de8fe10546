//! The owner of a runtime: the host, where the runtime is a plug-in's.
//!
//! The host counts the plug-in's work, which it cannot see otherwise. Every other runtime has no
//! owner; without the feature `plugin`, all of this compiles to nothing.

#[cfg(feature = "plugin")]
pub(crate) use attached::Owner;
#[cfg(feature = "plugin")]
pub use attached::TokioContext;

#[cfg(not(feature = "plugin"))]
pub(crate) use alone::Owner;

use super::lifecycle::Refusal;

#[cfg(feature = "plugin")]
mod attached {
    use loom_abi::{Place, Status, Work};

    use crate::boundary::HostRef;
    use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use crate::sync::{Arc, OnceLock, Tally};

    use super::Refusal;

    /// Which part of the plug-in's own tokio a task of the plug-in can use while it is polled.
    ///
    /// `Budget` and `Entered` each cost time per poll, which `loom-bench plugins` prints.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum TokioContext {
        /// All that a tokio task can use, the cooperative budget included: a future that is always
        /// ready yields to other tasks. On a thread that is inside this library's tokio already,
        /// the task shares the budget that is in use there.
        #[default]
        Budget,
        /// The runtime without the budget: sockets, timers and `tokio::spawn` work, but a task that
        /// is always ready never yields, and delays other tasks.
        Entered,
        /// No part. Sockets and timers that exist still work; making new ones panics.
        None,
    }

    /// The host, where there is one.
    #[derive(Debug, Default)]
    pub(crate) struct Owner {
        host: OnceLock<Arc<HostRef>>,
        /// Which part of the plug-in's tokio a task can use that does not choose itself.
        context: OnceLock<TokioContext>,
        /// 1 until the last thread of the plug-in's tokio has ended.
        drivers: Tally,
        /// Whether the host has said that it has ended.
        has_left: AtomicBool,
        /// Compute calls whose `begin` the host has refused, and which have not ended.
        uncounted: AtomicUsize,
    }

    /// The sum of `drivers` over all runtimes of this library.
    static DRIVERS: Tally = Tally::new();

    impl Owner {
        pub(crate) fn set_host(&self, host: Arc<HostRef>) {
            // It is set once, before any other code has the runtime.
            let _ = self.host.set(host);
        }

        pub(crate) fn host(&self) -> Option<&Arc<HostRef>> {
            self.host.get()
        }

        pub(crate) fn has_host(&self) -> bool {
            self.host().is_some()
        }

        /// The host has ended.
        pub(crate) fn host_leaves(&self) {
            // `Relaxed`: a request that does not see it is refused by the host.
            self.has_left.store(true, Ordering::Relaxed);
        }

        /// Whether the host is there, and has not said that it has ended.
        pub(crate) fn host_stays(&self) -> bool {
            self.has_host() && !self.has_left.load(Ordering::Relaxed)
        }

        pub(crate) fn set_context(&self, context: TokioContext) {
            // It is set once, as above.
            let _ = self.context.set(context);
        }

        pub(crate) fn context(&self) -> TokioContext {
            self.context.get().copied().unwrap_or_default()
        }

        pub(crate) fn driver_starts(&self) {
            self.drivers.enter();
            DRIVERS.enter();
        }

        /// The threads of the plug-in's tokio have been joined.
        pub(crate) fn driver_has_ended(&self) {
            self.drivers.leave();
            DRIVERS.leave();
        }

        pub(crate) fn has_driver(&self) -> bool {
            self.drivers.count() > 0
        }

        /// Whether any runtime of this library has a driver.
        pub(crate) fn any_has_driver() -> bool {
            DRIVERS.count() > 0
        }

        /// Asks the host to admit and count a piece of work.
        pub(crate) fn begin(&self) -> Result<(), Refusal> {
            let Some(host) = self.host() else { return Ok(()) };
            match host.begin(Work::TASK) {
                Status::DONE => Ok(()),
                Status::FORKED => Err(Refusal::Forked),
                _ => Err(Refusal::ShutDown),
            }
        }

        /// Work that `begin` admitted has ended.
        pub(crate) fn end(&self) {
            if let Some(host) = self.host() {
                host.end(Work::TASK, Status::DONE);
            }
        }

        /// A compute call begins; the work that it is part of was admitted separately. Where the host
        /// refuses to count it, it runs all the same.
        pub(crate) fn begin_call(&self) {
            if self.host().is_some_and(|host| host.begin(Work::COMPUTE) != Status::DONE) {
                // `Relaxed`, here and below: the call ends after it has begun.
                self.uncounted.fetch_add(1, Ordering::Relaxed);
            }
        }

        /// The host hears of as many ends as it has counted begins. Which of the calls these are
        /// makes no difference to it.
        pub(crate) fn end_call(&self, has_panicked: bool) {
            if let Some(host) = self.host() {
                if self.takes_uncounted() {
                    return;
                }
                let how = if has_panicked { Status::PANICKED } else { Status::DONE };
                host.end(Work::COMPUTE, how);
            }
        }

        /// Whether there was a call that the host has not counted; it is taken off.
        fn takes_uncounted(&self) -> bool {
            let one_less = |calls: usize| calls.checked_sub(1);
            self.uncounted.load(Ordering::Relaxed) > 0
                && self
                    .uncounted
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                    .is_ok()
        }

        /// Whether the calling thread is a thread of the host; only the host knows.
        pub(crate) fn must_not_wait(&self) -> bool {
            self.host().is_some_and(|host| host.here() != Place::ELSEWHERE)
        }

        /// How busy the host's I/O side is; `None` without a host.
        pub(crate) fn pressure(&self) -> Option<(f64, f64, u32)> {
            let pressure = self.host()?.pressure();
            Some((pressure.ready, pressure.arrivals, pressure.pressure_level))
        }

        /// Calls `wait` if this thread is a worker of the host, after the host has given the tasks
        /// of that worker to another thread. Returns whether this thread is such a worker.
        pub(crate) fn block_in_place(&self, wait: impl FnOnce()) -> bool {
            let Some(host) = self.host().filter(|host| host.here() == Place::WORKER) else {
                return false;
            };
            // `wait` does not panic. The caller checks for itself whether its work has ended.
            let _ = host.block_in_place(wait);
            true
        }
    }
}

#[cfg(not(feature = "plugin"))]
mod alone {
    use super::Refusal;

    /// No owner.
    #[derive(Debug, Default)]
    pub(crate) struct Owner(());

    #[expect(clippy::unused_self, reason = "the other form reads it")]
    impl Owner {
        pub(crate) fn has_host(&self) -> bool {
            false
        }

        #[expect(clippy::unnecessary_wraps, reason = "the other form may refuse")]
        pub(crate) fn begin(&self) -> Result<(), Refusal> {
            Ok(())
        }

        pub(crate) fn end(&self) {}

        pub(crate) fn begin_call(&self) {}

        pub(crate) fn end_call(&self, _has_panicked: bool) {}

        pub(crate) fn must_not_wait(&self) -> bool {
            false
        }

        pub(crate) fn pressure(&self) -> Option<(f64, f64, u32)> {
            None
        }

        pub(crate) fn block_in_place(&self, _wait: impl FnOnce()) -> bool {
            false
        }
    }
}
