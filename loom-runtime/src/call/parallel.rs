//! Parallel work within a scope.

use std::fmt;

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
pub struct Scope<'a, 'scope>(&'a rayon::Scope<'scope>);

impl<'a, 'scope> Scope<'a, 'scope> {
    /// Spawns `work` on the compute pool. It runs before the scope ends, on another compute thread
    /// or, at the end of the scope, on the scope's own thread. The end of the scope raises a panic
    /// of `work` again.
    ///
    /// Cost: the cost of rayon's `spawn`, which allocates.
    pub fn spawn<F>(&self, work: F)
    where
        F: FnOnce(&Scope<'_, 'scope>) + Send + 'scope,
    {
        let baggage = Baggage::of_scope();
        self.0.spawn(move |scope| baggage.unpack(|| work(&Scope(scope))));
    }

    /// Rayon's own scope, for its other functions.
    #[must_use]
    pub fn as_rayon(&self) -> &'a rayon::Scope<'scope> {
        self.0
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Calls `f` with a scope, and returns when all work that it spawned has ended.
pub(super) fn in_scope<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&Scope<'_, 'scope>) -> R + Send,
    R: Send,
{
    rayon::scope(|scope| f(&Scope(scope)))
}
