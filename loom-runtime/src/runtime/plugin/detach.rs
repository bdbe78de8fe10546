//! The end of it, before the host's.

use std::fmt;
use std::time::{Duration, Instant};

use loom_abi::Report;

use crate::boundary;
use crate::sync::{Arc, Weak, thread};

use crate::runtime::core::Core;
use crate::runtime::handle::LoomRuntime;
use crate::runtime::tokio_side::Patience;
use crate::runtime::{keeper, process_wide};

use super::attached::Attached;
use super::current;

/// How often it is looked whether what others hold has come back.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Why a library is attached still, or is not done: what has ended by then has ended, and it can
/// be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillAttached(String);

impl fmt::Display for StillAttached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StillAttached {}

/// What this library has made and others hold: after the last work there is nothing.
#[must_use]
pub fn live() -> Report {
    boundary::report()
}

impl Attached {
    /// Lets the work of this library finish, for no longer than `limit`, and ends what it has of
    /// its own. New work is refused from then on. The host goes on.
    ///
    /// # Errors
    ///
    /// What is running, or kept, when the time is up.
    ///
    /// # Panics
    ///
    /// Within async code and on compute threads, which must not be blocked.
    #[track_caller]
    pub fn detach(self, limit: Duration) -> Result<(), StillAttached> {
        let core = Arc::clone(self.runtime.core());
        drop(self);
        end(&core, Instant::now().checked_add(limit))
    }
}

/// Detaches this library from all that it is attached to, and waits until nothing of it is left
/// with others; with what [`export!`](crate::plugin::export) exports, a host does this.
///
/// # Errors
///
/// What is in use when the time is up.
///
/// # Panics
///
/// As [`Attached::detach`].
#[track_caller]
pub fn detach(limit: Duration) -> Result<(), StillAttached> {
    let deadline = Instant::now().checked_add(limit);
    if process_wide::started().is_some() {
        return Err(StillAttached(
            "compute functions were called before it was attached, and started threads that never \
             end: attach first"
                .to_owned(),
        ));
    }
    for core in current::all() {
        end(&core, deadline)?;
    }
    keeper::end();
    wait_for(deadline, || {
        let threads = boundary::bodies();
        (threads > 0).then(|| format!("{threads} threads of its own are running still"))
    })?;
    wait_for(deadline, || {
        let left = boundary::report();
        (left != Report::default()).then(|| {
            let Report { futures, wakers, jobs, tasks } = left;
            format!(
                "others hold {futures} futures, {wakers} wakers, {jobs} closures, {tasks} tasks"
            )
        })
    })
}

#[track_caller]
fn end(core: &Arc<Core>, deadline: Option<Instant>) -> Result<(), StillAttached> {
    let rest = || deadline.map(|at| at.saturating_duration_since(Instant::now()));
    let runtime = core.runtime.get().and_then(Weak::upgrade).map(LoomRuntime::from_inner);
    if let Some(runtime) = runtime {
        let limit = rest().unwrap_or(Duration::MAX);
        if !core.lifecycle.is_gone() && !runtime.wait_at_most(limit) {
            let (tasks, calls) = (core.tasks(), core.in_flight());
            return Err(StillAttached(format!(
                "{tasks} tasks and {calls} compute calls are running still"
            )));
        }
        core.lifecycle.leave();
        drop(current::leave(core));
        runtime.inner.tokio.end(rest().map_or(Patience::Forever, Patience::AtMost));
    }
    let is_kept = || core.runtime.get().is_some_and(|runtime| runtime.strong_count() > 0);
    wait_for(deadline, || {
        let threads = core.owner.threads();
        let (work, calls) = (core.lifecycle.count(), core.in_flight());
        if work > 0 || calls > 0 {
            Some(format!("{work} tasks and {calls} compute calls are running still"))
        } else if is_kept() {
            Some("a handle of its runtime is kept".to_owned())
        } else if threads > 0 {
            Some(format!("{threads} threads of its tokio are blocked"))
        } else {
            None
        }
    })?;
    drop(current::remove(core));
    Ok(())
}

/// Ends what was attached a moment ago, without waiting for anything.
pub(super) fn abandon(core: &Arc<Core>) {
    core.lifecycle.leave();
    if let Some(inner) = current::remove(core) {
        inner.tokio.end(Patience::None);
    }
}

/// Waits until nothing is left, or says what is.
fn wait_for(
    deadline: Option<Instant>,
    left: impl Fn() -> Option<String>,
) -> Result<(), StillAttached> {
    while let Some(left) = left() {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(StillAttached(left));
        }
        thread::park_timeout(LOOK_AGAIN);
    }
    Ok(())
}
