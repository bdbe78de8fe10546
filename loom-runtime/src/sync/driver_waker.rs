//! The waker of a driver that sleeps.

use std::ops::DerefMut;
use std::task::Waker;

use super::TryLockError;
use super::modelled::{AtomicU32, Mutex, Ordering};

/// A cell for the waker of a sleeping driver. Any thread may take the waker out and wake it.
///
/// Arming and disarming the cell are read-modify-writes of one word. No code of a waker runs between
/// two steps, so a waker that panics or calls back leaves the cell usable. The lock is tried, and
/// never waited for:
///
/// - Where the driver finds it taken, another thread takes out the waker before, and the driver
///   has to go on.
/// - Where a thread that has disarmed the cell finds it taken, another thread takes out the same
///   waker, and wakes it; or the driver stores another waker, and has yet to arm the cell: from
///   then on it sees what this thread did before.
pub(crate) struct DriverWaker {
    /// 1 if the cell holds a waker that nobody has come for.
    is_armed: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

impl DriverWaker {
    pub(crate) fn new() -> Self {
        Self { is_armed: AtomicU32::new(0), waker: Mutex::new(None) }
    }

    /// Stores the driver's waker. After that the driver has to look once more for what there is
    /// to do. Returns the waker before, for the caller to drop.
    ///
    /// # Errors
    ///
    /// Where another thread takes out the waker before: nothing is stored, and the driver must
    /// not sleep yet. Returns the clone that was made, for the caller to drop.
    ///
    /// # Panics
    ///
    /// If the clone panics. The cell is then as it was.
    pub(crate) fn register(&self, waker: &Waker) -> Result<Option<Waker>, Waker> {
        let fresh = waker.clone();
        let Some(mut cell) = self.try_lock() else {
            // The checker has to let the other thread go on, since the driver comes again.
            #[cfg(all(test, loom_model))]
            super::modelled::yield_now();
            return Err(fresh);
        };
        let before = cell.replace(fresh);
        drop(cell);
        // Acquire: with `take`, the driver sees what a thread did that came before. Release: with
        // `take`, a thread that comes later sees that the lock is free. An attempt that fails may read
        // an old value of the lock, which the checker does not know.
        self.is_armed.fetch_or(1, Ordering::AcqRel);
        Ok(before)
    }

    /// Takes the waker out, if there is one. The caller has to wake the driver, or to be it.
    pub(crate) fn take(&self) -> Option<Waker> {
        // Release, and acquire: with `register`.
        if self.is_armed.swap(0, Ordering::AcqRel) == 0 {
            return None;
        }
        let mut cell = self.try_lock()?;
        cell.take()
    }

    /// Wakes a driver whose waker does not panic.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }

    fn try_lock(&self) -> Option<impl DerefMut<Target = Option<Waker>>> {
        let cell = match self.waker.try_lock() {
            Ok(cell) => cell,
            Err(TryLockError::Poisoned(cell)) => cell.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // The checker changes threads before operations only: so it may while the lock is held.
        #[cfg(all(test, loom_model))]
        self.is_armed.load(Ordering::Relaxed);
        Some(cell)
    }
}

impl Default for DriverWaker {
    fn default() -> Self {
        Self::new()
    }
}
