//! Scopes, as users of a runtime ask for them.

use std::panic::Location;

use crate::call::{ComputeFuture, Scope, ScopeFuture, current_core, owned_scope};
use crate::scheduler::ComputeHint;
use crate::sync::Arc;

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// Runs `f` on the compute pool, with a scope in which it may spawn parallel work, all of
    /// which may borrow what the caller has.
    ///
    /// It runs within the poll that starts it: see [`ScopeFuture`] for what that means for
    /// time-outs. Other tasks of the same I/O worker go on meanwhile, on another thread, as long
    /// as tokio may start one (its limit on blocking threads). Off the workers of a multi-thread
    /// runtime it blocks its thread; a compute thread of another runtime runs other work of its
    /// own meanwhile.
    /// Cost: that of a call, two or three allocations of rayon's scope, and where it takes longer
    /// than some microseconds, a hand-over of the worker; `loom-bench micro` prints them.
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
    pub fn scope_compute<'env, F, R>(&self, f: F) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        ScopeFuture::new(Arc::clone(&self.inner.core), f)
    }

    /// [`scope_compute`](Self::scope_compute) that learns how long this closure takes at this place
    /// of the program, and so whether the worker is handed over at once, or only after a short
    /// wait.
    #[track_caller]
    pub fn scope_adaptive<'env, F, R>(&self, f: F) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        self.scope_adaptive_with_hint(ComputeHint::Unknown, f)
    }

    /// [`scope_adaptive`](Self::scope_adaptive) with an expectation of how long it takes, which
    /// counts until that was measured.
    #[track_caller]
    pub fn scope_adaptive_with_hint<'env, F, R>(
        &self,
        hint: ComputeHint,
        f: F,
    ) -> ScopeFuture<'env, F, R>
    where
        F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
        R: Send + 'env,
    {
        ScopeFuture::adaptive(Arc::clone(&self.inner.core), hint, Location::caller(), f)
    }

    /// Runs `f` on the compute pool with `state`, which all the parallel work that it spawns may
    /// look at, and gives the state back with the result.
    ///
    /// It starts now and blocks nothing, and dropping the future does what
    /// [`ComputeFuture`] says: this is the scope to use with time-outs. If `f` or its work
    /// panics, the state is dropped.
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
        F: for<'scope> FnOnce(&Scope<'_, 'scope>, &'scope S) -> R + Send + 'static,
        R: Send + 'static,
    {
        owned_scope(&self.inner.core, state, f)
    }
}

/// [`LoomRuntime::scope_compute`] on the current runtime; outside of any, on the process-wide
/// compute pool.
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
pub fn scope_compute<'env, F, R>(f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    ScopeFuture::new(current_core(), f)
}

/// [`LoomRuntime::scope_adaptive`] on the current runtime; outside of any, on the
/// process-wide compute pool.
#[track_caller]
pub fn scope_adaptive<'env, F, R>(f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    scope_adaptive_with_hint(ComputeHint::Unknown, f)
}

/// [`LoomRuntime::scope_adaptive_with_hint`] on the current runtime; outside of any, on the
/// process-wide compute pool.
#[track_caller]
pub fn scope_adaptive_with_hint<'env, F, R>(hint: ComputeHint, f: F) -> ScopeFuture<'env, F, R>
where
    F: FnOnce(&Scope<'_, 'env>) -> R + Send + 'env,
    R: Send + 'env,
{
    ScopeFuture::adaptive(current_core(), hint, Location::caller(), f)
}

/// [`LoomRuntime::scope_compute_with`] on the current runtime; outside of any, on the
/// process-wide compute pool.
///
/// # Panics
///
/// As [`spawn_compute`](crate::spawn_compute).
#[track_caller]
pub fn scope_compute_with<S, F, R>(state: S, f: F) -> ComputeFuture<(S, R)>
where
    S: Send + Sync + 'static,
    F: for<'scope> FnOnce(&Scope<'_, 'scope>, &'scope S) -> R + Send + 'static,
    R: Send + 'static,
{
    owned_scope(&current_core(), state, f)
}
