//! The methods of a runtime, and the free functions, that open scopes.

use std::panic::Location;

use crate::call::{ComputeFuture, Scope, ScopeFuture, current_core, owned_scope};
use crate::scheduler::ComputeHint;
use crate::sync::Arc;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// Runs `f` on the compute pool with a scope, in which `f` may spawn parallel work. `f` and the
    /// work may borrow data of the caller.
    ///
    /// The scope runs within the poll that starts it; [`ScopeFuture`] states what that means for
    /// time-outs. The poll waits on the spot for a scope that is known to take no longer than two
    /// wakes of a thread, which count as 100 µs at most; and for 4 µs where nothing is known. After
    /// that, other tasks of the same I/O worker continue on another thread, if tokio's limit on
    /// blocking threads permits one. On a thread that is not a worker of a multi-thread runtime, the
    /// scope blocks the thread; a spare takes the place of a compute thread of another runtime
    /// meanwhile.
    ///
    /// Cost: that of a call, two or three allocations of rayon's scope, and for a scope of more
    /// than some microseconds a hand-over of the worker; `loom-bench micro` prints them.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let mut halves = [vec![3, 1, 2], vec![9, 7, 8]];
    /// runtime.block_on(runtime.scope_compute(|scope| {
    ///     for half in &mut halves {
    ///         scope.spawn(move |_| half.sort_unstable());
    ///     }
    /// }));
    /// assert_eq!(halves, [vec![1, 2, 3], vec![7, 8, 9]]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn scope_compute<'env, F, R>(&self, f: F) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        self.scope_adaptive_with_hint(ComputeHint::Unknown, f)
    }

    /// [`scope_compute`](Self::scope_compute) under another name.
    #[track_caller]
    pub fn scope_adaptive<'env, F, R>(&self, f: F) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        self.scope_adaptive_with_hint(ComputeHint::Unknown, f)
    }

    /// [`scope_compute`](Self::scope_compute) with a hint of how long it takes. The hint is used
    /// until the time has been measured.
    #[track_caller]
    pub fn scope_adaptive_with_hint<'env, F, R>(
        &self,
        hint: ComputeHint,
        f: F,
    ) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        ScopeFuture::new(Arc::clone(&self.inner.core), hint, Location::caller(), f)
    }

    /// Runs `f` on the compute pool with `state`, which all the parallel work that `f` spawns may
    /// read, and returns the state together with the result.
    ///
    /// It is submitted at once and does not block. [`ComputeFuture`] states what a drop of the
    /// future does: this is the scope to use with time-outs. If `f` or its work panics, the state
    /// is dropped.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// let numbers: Vec<u64> = (1..=1000).collect();
    /// let sum = runtime.scope_compute_with((numbers, AtomicU64::new(0)), |scope, (numbers, sum)| {
    ///     for part in numbers.chunks(100) {
    ///         scope.spawn(move |_| {
    ///             sum.fetch_add(part.iter().sum(), Ordering::Relaxed);
    ///         });
    ///     }
    /// });
    /// let ((numbers, sum), ()) = runtime.block_on(sum);
    /// assert_eq!((numbers.len(), sum.into_inner()), (1000, 500_500));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`spawn_compute`](Self::spawn_compute).
    #[track_caller]
    pub fn scope_compute_with<S, F, R>(&self, state: S, f: F) -> ComputeFuture<(S, R)>
    where
        S: Send + Sync + 'static,
        F: for<'scope> FnOnce(&Scope<'scope>, &'scope S) -> R + Send + 'static,
        R: Send + 'static,
    {
        owned_scope(&self.inner.core, state, f)
    }
}

/// [`LoomRuntime::scope_compute`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// let text = String::from("one two three");
/// let (words, letters) = loom::scope_compute(|_| {
///     rayon::join(|| text.split(' ').count(), || text.chars().count())
/// })
/// .await;
/// assert_eq!((text.len(), words, letters), (13, 3, 13));
/// # }
/// ```
#[track_caller]
pub fn scope_compute<'env, F, R>(f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    scope_adaptive_with_hint(ComputeHint::Unknown, f)
}

/// [`LoomRuntime::scope_adaptive`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
#[track_caller]
pub fn scope_adaptive<'env, F, R>(f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    scope_adaptive_with_hint(ComputeHint::Unknown, f)
}

/// [`LoomRuntime::scope_adaptive_with_hint`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
#[track_caller]
pub fn scope_adaptive_with_hint<'env, F, R>(hint: ComputeHint, f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    ScopeFuture::new(current_core(), hint, Location::caller(), f)
}

/// [`LoomRuntime::scope_compute_with`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool.
///
/// # Panics
///
/// As [`spawn_compute`](crate::spawn_compute).
#[track_caller]
pub fn scope_compute_with<S, F, R>(state: S, f: F) -> ComputeFuture<(S, R)>
where
    S: Send + Sync + 'static,
    F: for<'scope> FnOnce(&Scope<'scope>, &'scope S) -> R + Send + 'static,
    R: Send + 'static,
{
    owned_scope(&current_core(), state, f)
}
