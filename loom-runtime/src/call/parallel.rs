//! Parallel work within a scope.

use std::fmt;

use super::baggage::Baggage;

/// Where parallel work may be spawned that borrows what lives as long as `'scope`.
///
/// It is rayon's scope, on the compute pool, and takes the current span of `tracing` to what is
/// spawned (feature `tracing`).
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
    /// Has a compute thread run `work` before the scope ends, unless it runs it itself at the
    /// end; a panic of it is raised again there.
    ///
    /// Cost: that of rayon's, which allocates.
    pub fn spawn<F>(&self, work: F)
    where
        F: FnOnce(&Scope<'_, 'scope>) + Send + 'scope,
    {
        let baggage = Baggage::of_scope();
        self.0.spawn(move |scope| baggage.unpack(|| work(&Scope(scope))));
    }

    /// Rayon's own, for the rest of what it can do.
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

/// Calls `f` with a scope, and comes back when all that it spawned has ended.
pub(super) fn in_scope<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&Scope<'_, 'scope>) -> R + Send,
    R: Send,
{
    rayon::scope(|scope| f(&Scope(scope)))
}
