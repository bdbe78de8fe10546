//! State that each core has for itself.

use std::fmt;

use super::context::current_context;
use super::states::StateError;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::CoreId;

/// A value that each local core has one of, made there when it is first asked for.
///
/// It need not be `Send`, and is lent without a lock. It stays until its core ends, and is dropped
/// there, whether or not a `CoreState` is left: make one for the program, not for each request.
///
/// ```
/// # fn main() -> loom::Result<()> {
/// let served = loom::local::CoreState::new(|_core| 0_u64);
/// let runtime = loom::LoomBuilder::new().local_cores(2).build()?;
/// for request in 0..10 {
///     let served = served.clone();
///     let core = runtime.local_for(&request);
///     let task = core.spawn_with(|| async move { served.with(|served| *served += 1) });
///     assert!(runtime.block_on(task).is_ok_and(|lent| lent.is_ok()));
/// }
/// # Ok(())
/// # }
/// ```
pub struct CoreState<T> {
    number: u64,
    make: Arc<dyn Fn(CoreId) -> T + Send + Sync>,
}

impl<T: 'static> CoreState<T> {
    /// Makes nothing yet; `make` is called on each core that asks, once.
    pub fn new(make: impl Fn(CoreId) -> T + Send + Sync + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), make: Arc::new(make) }
    }

    /// Lends this core's value to `f`.
    ///
    /// # Errors
    ///
    /// On a thread that is no local core; within another loan of the same value, which `f` or
    /// `make` might try; and once the core has ended.
    ///
    /// # Panics
    ///
    /// Where `make` or `f` panics; `make` is called again the next time.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, StateError> {
        let here = current_context().ok_or(StateError::NotOnACore)?;
        let value = here.states.find(self.number, || (self.make)(here.core.id()))?;
        let mut value = value.try_borrow_mut().map_err(|_lent| StateError::Lent)?;
        // It was made by this very state.
        let value = value.downcast_mut().ok_or(StateError::Lent)?;
        Ok(f(value))
    }
}

impl<T> Clone for CoreState<T> {
    fn clone(&self) -> Self {
        Self { number: self.number, make: Arc::clone(&self.make) }
    }
}

impl<T> fmt::Debug for CoreState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoreState").field("number", &self.number).finish_non_exhaustive()
    }
}
