//! Threads that are started for a plug-in, each with one of the host's thread plans.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use loom_abi::{Status, ThreadKind};

use crate::boundary::ForeignJob;
use crate::core::Core;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, thread};
use crate::threads::keeper;
use crate::topology::{Role, ThreadPlacement};

use super::counts::{Counted, Counts};

/// How often threads that end are looked at.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// Starts a thread for a plug-in.
struct StartThread<F> {
    name: String,
    body: F,
}

impl<F: FnOnce() + Send + 'static> keeper::Order for StartThread<F> {
    type Answer = io::Result<thread::JoinHandle<()>>;

    fn carry_out(self) -> Self::Answer {
        thread::Builder::new().name(self.name).spawn(self.body)
    }
}

thread_local! {
    /// Whether this thread is a compute thread of a plug-in, started here.
    static COMPUTES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a compute thread of any plug-in.
pub(super) fn computes() -> bool {
    COMPUTES.get()
}

/// The threads of one plug-in that have not been joined.
#[derive(Debug, Default)]
pub(super) struct Threads(Mutex<Vec<thread::JoinHandle<()>>>);

impl Threads {
    /// Starts a thread that applies a plan and runs the body.
    pub(super) fn start(
        &self,
        core: &Arc<Core>,
        counts: &Arc<Counts>,
        name: String,
        (kind, number): (ThreadKind, usize),
        body: ForeignJob,
    ) -> Status {
        let plan = &core.plan;
        let is_compute = kind == ThreadKind::COMPUTE;
        let thread_plan = if is_compute {
            plan.compute.get(number % plan.compute.len().max(1)).unwrap_or(&plan.blocking).clone()
        } else {
            plan.blocking.clone()
        };
        // Kept here as well: a body that does not run is dropped on this thread, not on the keeper.
        let kept = Arc::new(Mutex::new(Some(body)));
        let counted = Counted::new(counts, |counts| &counts.threads);
        let (body, core) = (Arc::clone(&kept), Arc::clone(core));
        let body = move || {
            let _counted = counted;
            let role = if is_compute { Role::Compute } else { Role::Blocking };
            let name = thread::current().name().unwrap_or_default().to_owned();
            ThreadPlacement::apply(role, name, &thread_plan, &core.plan.budget);
            drop(core);
            COMPUTES.set(is_compute);
            let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(body) = body {
                body.run();
            }
        };
        // On the keeper, whose CPU mask and class the new thread may inherit.
        let started = keeper::order(StartThread { name, body });
        match started.and_then(|started: io::Result<_>| started) {
            Ok(thread) => {
                let mut threads = self.lock();
                // A thread that is still ending keeps its library mapped, by its thread-locals.
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
                Status::DONE
            }
            Err(_refused) => Status::NO_THREAD,
        }
    }

    /// Waits for threads that have no work left, at most until `deadline`. Returns how many have not
    /// ended.
    pub(super) fn join(&self, deadline: Option<Instant>) -> usize {
        loop {
            let ended: Vec<_> = self.lock().extract_if(.., |thread| thread.is_finished()).collect();
            for thread in ended {
                // The body catches panics.
                let _ = thread.join();
            }
            let left = self.lock().len();
            if left == 0 || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return left;
            }
            thread::park_timeout(CHECK_INTERVAL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<thread::JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
