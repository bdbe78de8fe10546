//! Parallel work within a scope.

use std::fmt;
use std::ops::Deref;

use ref_cast::{RefCastCustom, ref_cast_custom};

use super::baggage::Baggage;

/// A scope that spawns parallel work, which may borrow data that lives as long as `'scope`.
///
/// It is rayon's scope, on the compute pool. With the feature `tracing`, spawned work runs in the
/// span that was current at the spawn.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// let (mut left, mut right) = (0, 0);
/// loom::scope_compute(|scope| {
///     scope.spawn(|scope| {
///         left = 1;
///         // What is spawned may spawn.
///         scope.spawn(|_| right = 2);
///     });
/// })
/// .await;
/// assert_eq!((left, right), (1, 2));
/// # }
/// ```
#[derive(RefCastCustom)]
#[repr(transparent)]
pub struct Scope<'scope>(rayon::Scope<'scope>);

impl<'scope> Scope<'scope> {
    #[ref_cast_custom]
    fn of_rayon<'a>(scope: &'a rayon::Scope<'scope>) -> &'a Self;

    /// Spawns `work` on the compute pool, or on rayon's global pool where the scope runs on a spare
    /// ([`max_spares`](crate::LoomBuilder::max_spares)). It runs on any thread of that pool and has
    /// ended when the scope ends; it cannot be cancelled. If `work` panics, other work still runs, and then the
    /// end of the scope raises one of the panics again.
    ///
    /// Cost: the cost of rayon's `spawn`, which allocates.
    pub fn spawn<F>(&self, work: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        let baggage = Baggage::of_scope();
        self.0.spawn(move |scope| baggage.unpack(|| work(Scope::of_rayon(scope))));
    }

    /// Rayon's own scope. Work that is spawned there gets no span.
    #[must_use]
    pub fn as_rayon(&self) -> &rayon::Scope<'scope> {
        &self.0
    }
}

/// For functions that take rayon's scope, and for its other methods; see [`Scope::as_rayon`].
impl<'scope> Deref for Scope<'scope> {
    type Target = rayon::Scope<'scope>;

    fn deref(&self) -> &Self::Target {
        self.as_rayon()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Calls `f` with a scope, and returns when all work that it spawned has ended.
pub(super) fn in_scope<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    // In place, so that a spare runs `f` itself: its `rayon::scope` would be another pool's.
    rayon::in_place_scope(|scope| f(Scope::of_rayon(scope)))
}
