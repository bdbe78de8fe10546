//! The owner of a runtime: the host, where the runtime is a plug-in's.
//!
//! The host counts what the plug-in does on threads that the host cannot see into. Every other
//! runtime has no owner, and then all of this compiles to nothing.

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
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::{Arc, OnceLock};

    use super::Refusal;

    /// What a plug-in's task finds of the plug-in's own tokio while it is polled.
    ///
    /// Either has a price a poll, which `loom-bench plugins` prints.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum TokioContext {
        /// All that a tokio task finds, its cooperative budget included: a future that is always ready
        /// yields to other tasks. On a thread that is inside this library's tokio already, the budget
        /// is that one's.
        #[default]
        Budget,
        /// The runtime, so that sockets, timers and `tokio::spawn` work, and no budget: a task that
        /// always finds something ready goes on, and keeps others waiting.
        Entered,
        /// Nothing. What was made inside of tokio goes on working; making more of it panics.
        None,
    }

    /// The host, where there is one.
    #[derive(Debug, Default)]
    pub(crate) struct Owner {
        host: OnceLock<Arc<HostRef>>,
        /// What tasks find of the plug-in's tokio, where they do not say.
        context: OnceLock<TokioContext>,
        /// 1 until the last thread of the plug-in's tokio has ended.
        drivers: AtomicUsize,
    }

    /// Those of all runtimes of this library.
    static DRIVERS: AtomicUsize = AtomicUsize::new(0);

    impl Owner {
        pub(crate) fn set_host(&self, host: Arc<HostRef>) {
            // Set once, before any other code has the runtime.
            let _ = self.host.set(host);
        }

        pub(crate) fn host(&self) -> Option<&Arc<HostRef>> {
            self.host.get()
        }

        pub(crate) fn set_context(&self, context: TokioContext) {
            // It is said once, as above.
            let _ = self.context.set(context);
        }

        pub(crate) fn context(&self) -> TokioContext {
            self.context.get().copied().unwrap_or_default()
        }

        pub(crate) fn driver_starts(&self) {
            self.drivers.fetch_add(1, Ordering::Relaxed);
            DRIVERS.fetch_add(1, Ordering::Relaxed);
        }

        /// Its threads have been joined.
        pub(crate) fn driver_has_ended(&self) {
            // Release: with the acquire of `has_driver` and `any_has_driver`.
            self.drivers.fetch_sub(1, Ordering::Release);
            DRIVERS.fetch_sub(1, Ordering::Release);
        }

        pub(crate) fn has_driver(&self) -> bool {
            // Acquire: with the release of `driver_has_ended`.
            self.drivers.load(Ordering::Acquire) > 0
        }

        /// Whether any runtime of this library has.
        pub(crate) fn any_has_driver() -> bool {
            // Acquire: as above.
            DRIVERS.load(Ordering::Acquire) > 0
        }

        /// Work is admitted here.
        pub(crate) fn begin(&self) -> Result<(), Refusal> {
            let Some(host) = self.host() else { return Ok(()) };
            match host.begin(Work::TASK) {
                Status::DONE => Ok(()),
                Status::FORKED => Err(Refusal::Forked),
                _ => Err(Refusal::ShutDown),
            }
        }

        /// Work that was admitted here has ended.
        pub(crate) fn end(&self) {
            if let Some(host) = self.host() {
                host.end(Work::TASK, Status::DONE);
            }
        }

        /// A compute call begins, beside what was admitted for it.
        pub(crate) fn begin_call(&self) {
            if let Some(host) = self.host() {
                host.begin(Work::COMPUTE);
            }
        }

        pub(crate) fn end_call(&self, has_panicked: bool) {
            if let Some(host) = self.host() {
                let how = if has_panicked { Status::PANICKED } else { Status::DONE };
                host.end(Work::COMPUTE, how);
            }
        }

        /// Whether the calling thread is one of the host's, which is not known here otherwise.
        pub(crate) fn must_not_wait(&self) -> bool {
            self.host().is_some_and(|host| host.here() != Place::ELSEWHERE)
        }

        /// How busy the I/O side is, where that is the host's.
        pub(crate) fn pressure(&self) -> Option<(f64, f64, u32)> {
            let pressure = self.host()?.pressure();
            Some((pressure.ready, pressure.arrivals, pressure.pressure_level))
        }

        /// Waits, having given the tasks of the host's worker to another thread, if this is one.
        pub(crate) fn block_in_place(&self, wait: impl FnOnce()) -> bool {
            let Some(host) = self.host().filter(|host| host.here() == Place::WORKER) else {
                return false;
            };
            // What waits does not panic; whether it has waited is seen by who comes next.
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

    #[expect(clippy::unused_self, reason = "the other form looks at it")]
    impl Owner {
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
