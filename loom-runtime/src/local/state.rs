//! State of which each core has its own value.
//!
//! The values are stored in `states.rs`.

use std::fmt;

use super::context::current_context;
use super::states::StateError;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::CoreId;

/// A value that exists once on each local core. A core makes its value at the first use.
///
/// The value need not be `Send`, and is borrowed without a lock. It lives until its core ends, and
/// is dropped on the core, also if every `CoreState` was dropped before. So make a `CoreState` for
/// the program, not for each request.
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
    /// Makes no value yet. Each core calls `make` once, at its first use.
    pub fn new(make: impl Fn(CoreId) -> T + Send + Sync + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), make: Arc::new(make) }
    }

    /// Calls `f` with this core's value.
    ///
    /// # Errors
    ///
    /// On a thread that is not a local core; if the same value is already borrowed, which a call
    /// within `f` or `make` would find; and once the core has ended.
    ///
    /// # Panics
    ///
    /// If `make` or `f` panics. After a panic of `make`, the next call calls `make` again.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, StateError> {
        let context = current_context().ok_or(StateError::NotOnACore)?;
        let value = context.states.find(self.number, || (self.make)(context.core.id()))?;
        let mut value = value.try_borrow_mut().map_err(|_borrowed| StateError::Lent)?;
        // The number is unique, so this state made the value and the type matches.
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
