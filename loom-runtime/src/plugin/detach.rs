//! Detaching a library from its host before the host ends.

use std::fmt;
use std::time::{Duration, Instant};

use loom_abi::Report;

use crate::boundary;
use crate::sync::{Arc, thread};

use crate::core::Core;
use crate::core::Owner;
use crate::runtime::{Inner, LoomRuntime};
use crate::threads::ShutdownWait;
use crate::threads::keeper;
use crate::threads::process_wide;

use super::attached::Attached;
use crate::core::attached;

/// How often detaching checks whether other libraries have released what they held.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// Why a library is still attached, or not fully detached. What has ended stays ended, and
/// detaching can be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillAttached(String);

impl fmt::Display for StillAttached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StillAttached {}

/// Counts of what this library has made and other libraries hold: zero after its last work. The
/// threads that the host runs for it while it is attached are not counted.
#[must_use]
pub fn live() -> Report {
    boundary::report()
}

impl Attached {
    /// Lets the work of this library finish, for at most `limit`, and ends its own tokio and
    /// compute threads. Running work may start more; once all has ended, more is refused. The
    /// host goes on.
    ///
    /// Every other handle has to be dropped by then, including clones of this one and the handles
    /// of [`current`](super::current) and [`current_runtime`](crate::current_runtime).
    ///
    /// # Errors
    ///
    /// What still runs or is still held when the time is up; [`detach`](super::detach) tries again.
    ///
    /// # Panics
    ///
    /// Within async code and on compute threads, which must not wait.
    #[track_caller]
    pub fn detach(self, limit: Duration) -> Result<(), StillAttached> {
        let core = Arc::clone(self.runtime.core());
        drop(self);
        end(&core, Instant::now().checked_add(limit))?;
        drop(attached::remove(&core));
        Ok(())
    }
}

/// Detaches this library from every runtime that it is attached to, and waits until no other
/// library holds anything of it. A host does this by itself for libraries that use
/// [`export!`](crate::plugin::export).
///
/// # Errors
///
/// What is still in use when the time is up.
///
/// # Panics
///
/// As [`Attached::detach`].
#[track_caller]
pub fn detach(limit: Duration) -> Result<(), StillAttached> {
    let deadline = Instant::now().checked_add(limit);
    if process_wide::started().is_some() {
        return Err(StillAttached(
            "compute functions were called before the library was attached, and started threads \
             that never end: attach first"
                .to_owned(),
        ));
    }
    let attached = attached::all();
    for core in &attached {
        end(core, deadline)?;
    }
    keeper::end();
    // One look at all of it: what is left of one kind may make a value of another before it goes.
    wait_for(deadline, || {
        let (held, beside, has_driver) = boundary::look(Owner::any_has_driver);
        let Report { futures, wakers, jobs, tasks } = held;
        let boundary::Beside { threads, hosts, runtimes } = beside;
        if threads > 0 || has_driver {
            Some(format!("{threads} threads run its code, or gave something back while they ended"))
        } else if hosts > 0 {
            Some(format!("{hosts} hosts have it registered, and have not given it back"))
        } else if runtimes > 0 {
            Some(format!(
                "its own plug-ins have {runtimes} handles of its runtimes: end them first"
            ))
        } else if held != Report::default() {
            Some(format!(
                "other libraries hold {futures} futures, {wakers} wakers, {jobs} closures, \
                 {tasks} tasks"
            ))
        } else {
            None
        }
    })?;
    // Until here, code without a handle finds these runtimes, and is refused.
    for core in &attached {
        drop(attached::remove(core));
    }
    Ok(())
}

/// Ends one runtime. Code without a handle still finds it in the list of attached runtimes, and is
/// refused.
#[track_caller]
fn end(core: &Arc<Core>, deadline: Option<Instant>) -> Result<(), StillAttached> {
    assert!(
        !core.owner.must_not_wait(),
        "this thread drives async tasks of the host or runs compute work for it, and must not \
         wait: call this from `spawn_blocking`"
    );
    let runtime = core.handle::<Inner>().map(LoomRuntime::from_inner);
    if let Some(runtime) = runtime {
        let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if !core.lifecycle.is_gone() && !runtime.wait_at_most(rest.unwrap_or(Duration::MAX)) {
            return Err(StillAttached(running(core)));
        }
        core.lifecycle.leave();
        drop(attached::leave(core));
        runtime.inner.tokio.end(ShutdownWait::None);
    }
    wait_for(deadline, || {
        if core.lifecycle.count() > 0 || core.in_flight() > 0 {
            Some(running(core))
        } else if core.is_held() {
            Some("a handle of its runtime is still held".to_owned())
        } else if core.owner.has_driver() {
            Some("blocking functions of its tokio are still running".to_owned())
        } else {
            None
        }
    })?;
    if let Some(host) = core.owner.host() {
        host.unregister();
    }
    Ok(())
}

fn running(core: &Core) -> String {
    let (tasks, calls) = (core.tasks(), core.in_flight());
    format!("{tasks} tasks and {calls} compute calls are still running")
}

/// Ends a runtime whose start has failed, without waiting.
pub(super) fn abandon(core: &Arc<Core>) {
    core.lifecycle.leave();
    end_tokio(attached::remove(core));
    if let Some(host) = core.owner.host() {
        host.unregister();
    }
}

/// Ends the tokio of an attached runtime, without waiting for it.
pub(super) fn end_tokio(handle: Option<attached::Handle>) {
    if let Some(inner) = handle.and_then(|handle| handle.downcast::<Inner>().ok()) {
        inner.tokio.end(ShutdownWait::None);
    }
}

/// Waits until `left` returns `None`; at the deadline, returns its text as the error.
fn wait_for(
    deadline: Option<Instant>,
    left: impl Fn() -> Option<String>,
) -> Result<(), StillAttached> {
    while let Some(left) = left() {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(StillAttached(left));
        }
        thread::park_timeout(CHECK_INTERVAL);
    }
    Ok(())
}
