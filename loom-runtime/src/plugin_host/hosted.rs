//! The host's side of one plug-in: its registration, its name, and its counts.

use loom_abi::{Place, Status, ThreadKind, Work};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::boundary::{ForeignGuest, Host as _};
use crate::call::is_on_a_worker;
use crate::core::{Core, local_core};
use crate::runtime::LoomRuntime;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::threads::warn_once;

use super::counts::{Begun, Counts, Starting};
use super::plugins::Plugins;
use super::stats::PluginStats;
use super::threads::Threads;

/// How much of a plug-in's name goes into the names of its threads, which the system cuts off after
/// 15 bytes.
const NAME_LENGTH: usize = 8;

/// The guest of one handle.
pub(super) enum Registration {
    /// None yet.
    Open,
    Of(ForeignGuest),
    /// It was notified of the end or given back, or none is taken any more.
    Over,
}

/// The handle of one plug-in, and the state of that plug-in on this side.
pub(crate) struct Hosted {
    pub(super) core: Arc<Core>,
    pub(super) tokio: Handle,
    pub(super) prefix: String,
    pub(super) name: String,
    registration: Mutex<Registration>,
    /// Whether all work of this plug-in is refused, regardless of the runtime's state.
    is_closed: AtomicBool,
    /// The tasks that the plug-in spawns while it starts.
    pub(super) starting: Starting,
    /// Held while the plug-in is notified or given back, which runs code of its library.
    notifying: Mutex<()>,
    pub(super) threads: Threads,
    pub(crate) counts: Arc<Counts>,
    pub(super) begun: Begun,
}

impl Hosted {
    pub(crate) fn new(runtime: &LoomRuntime, name: &str) -> Arc<Self> {
        let core = Arc::clone(runtime.core());
        let hosted = Arc::new(Self {
            tokio: runtime.tokio_handle().clone(),
            prefix: runtime.config().prefix.clone(),
            // A thread name cannot contain NUL.
            name: name.replace('\0', "?"),
            registration: Mutex::new(Registration::Open),
            is_closed: AtomicBool::new(false),
            notifying: Mutex::new(()),
            starting: Starting::default(),
            threads: Threads::default(),
            counts: Arc::default(),
            begun: Begun::default(),
            core,
        });
        hosted.core.extension::<Plugins>().add(&hosted);
        hosted
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The plug-in's statistics.
    pub(super) fn stats(&self) -> PluginStats {
        let counts = &self.counts;
        PluginStats {
            name: self.name().to_owned(),
            tasks: counts.tasks.load(Ordering::Relaxed),
            spawned: counts.spawned.load(Ordering::Relaxed),
            compute_calls: counts.compute_calls.load(Ordering::Relaxed),
            computed: counts.computed.load(Ordering::Relaxed),
            panicked: counts.panicked.load(Ordering::Relaxed),
            threads: counts.threads.load(Ordering::Relaxed),
        }
    }

    /// Whether the plug-in was unloaded; threads may still hold this handle.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Calls `f`, which waits for a library's work on another thread. A worker moves its other
    /// tasks to another thread first.
    ///
    /// # Panics
    ///
    /// On threads that must not wait and cannot move their tasks.
    #[track_caller]
    pub(super) fn wait<R>(&self, what: &str, f: impl FnOnce() -> R) -> R {
        let is_current_thread = self.tokio.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let place = self.here();
        let refused = place == Place::COMPUTE
            || local_core::is_here()
            || place == Place::WORKER && is_current_thread && !is_on_a_worker();
        assert!(
            !refused,
            "{what} a plug-in waits for the library, and this thread must not wait: do it before \
             the runtime's tasks run, or from `spawn_blocking`"
        );
        if is_on_a_worker() { block_in_place(f) } else { f() }
    }

    /// Notifies the plug-in that the runtime has ended.
    pub(super) fn leave(&self) {
        self.end_registration(ForeignGuest::leave);
    }

    /// Refuses all work of this plug-in, and releases it: the host runs no code of its library
    /// from then on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.end_registration(drop);
        self.end_begun();
    }

    /// Passes the guest to `end`, unless it has gone, and takes none from then on. Waits for another
    /// thread that does the same.
    pub(super) fn end_registration(&self, end: impl FnOnce(ForeignGuest)) {
        let _notifying = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *self.registration(), Registration::Over);
        // Without the lock of the registration, but with `notifying`: the library stays mapped until
        // its function has returned.
        if let Registration::Of(guest) = before {
            end(guest);
        }
    }

    pub(super) fn registration(&self) -> MutexGuard<'_, Registration> {
        self.registration.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts out what the plug-in has begun and can no longer end.
    fn end_begun(&self) {
        for work in [Work::TASK, Work::COMPUTE] {
            while self.begun.end(work) {
                self.count_out(work, Status::DONE);
            }
        }
    }

    /// Work that has begun counts no longer.
    pub(super) fn count_out(&self, work: Work, how: Status) {
        if work == Work::COMPUTE {
            self.core.end_call(how == Status::PANICKED);
            self.counts.compute_calls.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.counts.tasks.fetch_sub(1, Ordering::Relaxed);
            self.core.lifecycle.end_one();
        }
    }

    /// Whether this plug-in's work is refused: it was unloaded, or the runtime has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.is_closed() || self.core.lifecycle.is_gone()
    }

    /// The plug-in ends what it has not begun: says so once.
    pub(super) fn refuse_end(&self) -> Status {
        // What it had begun when it was closed is counted out already.
        if !self.is_closed() {
            warn_once(
                &self.begun.is_told,
                &format!(
                    "plug-in `{}` ends work that it has not begun, which is not counted: it calls \
                     `end` of loom-abi twice for one `begin`, or for work of another kind",
                    self.name
                ),
            );
        }
        Status::REFUSED
    }

    /// Whether the plug-in has ended what it has not begun.
    #[cfg(all(test, feature = "plugin"))]
    pub(super) fn has_ended_too_much(&self) -> bool {
        self.begun.is_told.load(Ordering::Relaxed)
    }

    /// The name of a thread that is started for the plug-in.
    pub(super) fn thread_name(&self, kind: ThreadKind, number: usize) -> String {
        let name = crate::text::beginning(&self.name, NAME_LENGTH);
        let kind = if kind == ThreadKind::COMPUTE { "" } else { "io-" };
        format!("{}-{name}-{kind}{number:02}", self.prefix)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.end_begun();
        self.core.extension::<Plugins>().forget();
    }
}

impl std::fmt::Debug for Hosted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosted").field("name", &self.name).finish_non_exhaustive()
    }
}
