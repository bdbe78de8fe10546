//! The free functions, which spawn on the runtime that the current thread belongs to.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::bridge::Priority;
use crate::call::{
    AdaptiveFuture, CallInfo, CallOptions, ComputeFuture, TryComputeFuture, current_core,
    is_settled, offload, place, settled, try_offload, try_place,
};
use crate::core::{Admitted, Core, context};
use crate::scheduler::ComputeHint;
use crate::sync::Arc;
use crate::threads::blocking;
use crate::threads::task::tracked;

use super::handle::LoomRuntime;

/// The current runtime's core and tokio handle; panics if there is no current runtime.
#[track_caller]
fn current_tokio(function: &str, instead: &str) -> (Arc<Core>, Handle) {
    let found = context::current().and_then(|core| {
        let tokio = core.tokio.get().cloned()?;
        Some((core, tokio))
    });
    let Some(found) = found else { panic!("{}", no_runtime(function, instead)) };
    found
}

/// The error of a free function that found no runtime.
pub(super) fn no_runtime(function: &str, instead: &str) -> String {
    format!(
        "`loom::{function}` needs a Loom runtime: call it below `#[loom::main]`, `#[loom::test]` \
         or `LoomRuntime::block_on`, or use `{instead}`"
    )
}

/// The runtime that the current thread belongs to.
///
/// I/O workers, blocking threads, compute threads and local cores belong to their runtime. A thread
/// belongs to a runtime inside [`block_on`](LoomRuntime::block_on) and below
/// [`enter`](LoomRuntime::enter). A thread of a given tokio runtime belongs to the runtime that was
/// built [`beside`](crate::LoomBuilder::beside) it.
///
/// `None` on other threads, and once the last handle of the runtime has been dropped.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// assert!(loom::current_runtime().is_none());
/// let runtime = loom::LoomBuilder::new().build()?;
/// let name = runtime.block_on(async { loom::current_runtime().map(|r| r.config().prefix.clone()) });
/// assert_eq!(name.as_deref(), Some("loom"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn current_runtime() -> Option<LoomRuntime> {
    context::current()?.handle().map(LoomRuntime::from_inner)
}

/// [`LoomRuntime::spawn_async`] on the current runtime.
///
/// # Panics
///
/// If there is no current runtime, or it has been shut down.
#[track_caller]
pub fn spawn_async<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (core, tokio) = current_tokio("spawn_async", "tokio::spawn");
    tracked(&core, &tokio, future)
}

/// The same as [`spawn_async`], under tokio's name. On a local core it spawns on the I/O workers,
/// unlike `tokio::spawn`; for a task on the core, use [`local::spawn`](crate::local::spawn).
///
/// # Panics
///
/// As [`spawn_async`].
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (core, tokio) = current_tokio("spawn", "tokio::spawn");
    tracked(&core, &tokio, future)
}

/// [`LoomRuntime::block_on`] on the current runtime, for code that may block: on a thread that has
/// [entered](LoomRuntime::enter) it, a blocking thread or a compute thread.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// let runtime = loom::LoomRuntime::new()?;
/// let _entered = runtime.enter();
/// let task = loom::spawn(async { 6 * 7 });
/// assert_eq!(loom::block_on(task).ok(), Some(42));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// If there is no current runtime, and as [`LoomRuntime::block_on`].
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let Some(runtime) = current_runtime() else {
        panic!("{}", no_runtime("block_on", "LoomRuntime::new"))
    };
    runtime.block_on(future)
}

/// [`LoomRuntime::spawn_blocking`] on the current runtime.
///
/// # Panics
///
/// If there is no current runtime, and as [`LoomRuntime::spawn_blocking`].
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (core, tokio) = current_tokio("spawn_blocking", "tokio::task::spawn_blocking");
    blocking::spawn(Admitted::or_panic(&core), &tokio, f)
}

/// [`LoomRuntime::spawn_compute`] on the current runtime; outside of any runtime, on a
/// process-wide compute pool, which the first such call starts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sum = loom::spawn_compute(|| (1..=1000_u64).sum::<u64>()).await;
/// assert_eq!(sum, 500_500);
/// # }
/// ```
///
/// # Panics
///
/// If the runtime has been shut down, or the system refused the threads of the process-wide pool.
/// A panic of `f` is raised again where the future is awaited.
#[track_caller]
pub fn spawn_compute<F, R>(f: F) -> ComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    spawn_compute_with_priority(Priority::Normal, f)
}

/// [`LoomRuntime::spawn_compute_with_priority`] on the current runtime; outside of any runtime, on
/// the process-wide compute pool.
///
/// # Panics
///
/// As [`spawn_compute`].
#[track_caller]
pub fn spawn_compute_with_priority<F, R>(priority: Priority, f: F) -> ComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let options = CallOptions { priority, ..CallOptions::default() };
    let core = current_core();
    ComputeFuture::or_panic(offload(&core, Admitted::or_panic(&core), options, f))
}

/// [`LoomRuntime::try_spawn_compute`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// match loom::try_spawn_compute(|| 6 * 7).await {
///     Ok(answer) => assert_eq!(answer, 42),
///     Err(error) => panic!("{error}"),
/// }
/// # }
/// ```
pub fn try_spawn_compute<F, R>(f: F) -> TryComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    try_spawn_compute_with_priority(Priority::Normal, f)
}

/// [`LoomRuntime::try_spawn_compute_with_priority`] on the current runtime; outside of any runtime,
/// on the process-wide compute pool.
pub fn try_spawn_compute_with_priority<F, R>(priority: Priority, f: F) -> TryComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let options = CallOptions { priority, ..CallOptions::default() };
    TryComputeFuture::new(try_offload(&current_core(), options, f))
}

/// [`LoomRuntime::spawn_adaptive`] on the current runtime; outside of any runtime, with the
/// process-wide compute pool.
///
/// # Panics
///
/// As [`spawn_compute`].
#[track_caller]
#[inline]
pub fn spawn_adaptive<F, R>(f: F) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    spawn_adaptive_with_hint(ComputeHint::Unknown, f)
}

/// [`spawn_adaptive`] with a hint of how long `f` takes.
///
/// # Panics
///
/// As [`spawn_compute`].
#[track_caller]
#[inline]
pub fn spawn_adaptive_with_hint<F, R>(hint: ComputeHint, f: F) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (site, class) = CallInfo::site_of_closure::<F>(hint);
    if is_settled(site, class) {
        return settled(site, class, current_core, f);
    }
    // Made here: a settled call need not put all of it into memory.
    place(&current_core(), CallInfo::of(site, class, hint), f)
}

/// [`LoomRuntime::try_spawn_adaptive`] on the current runtime; outside of any runtime, with the
/// process-wide compute pool.
#[track_caller]
pub fn try_spawn_adaptive<F, R>(f: F) -> TryComputeFuture<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    try_place(&current_core(), CallInfo::closure::<F>(ComputeHint::Unknown), f)
}
