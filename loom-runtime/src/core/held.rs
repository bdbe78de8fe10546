//! Where each drainer of a core holds wakers back.

use crate::bridge::Held;

use super::pools::Which;
use super::shared::Core;

impl Core {
    /// Where a thread of this pool holds wakers back. Nowhere if time is paused: time would go on
    /// before the task does that is woken.
    pub(crate) fn held(&self, which: Which, index: usize) -> Option<&Held> {
        #[cfg(feature = "test-util")]
        if self.paused.get().is_some() {
            return None;
        }
        self.held_by(which, index)
    }

    fn held_by(&self, which: Which, index: usize) -> Option<&Held> {
        self.held.get(which as usize * self.compute_threads + index)
    }

    /// Wakes what this thread of this pool holds back.
    pub(crate) fn wake_held_by(&self, which: Which, index: usize) {
        self.held_by(which, index).inspect(|held| held.wake_all());
    }

    /// Wakes what drainers hold back.
    pub(crate) fn wake_held(&self) {
        self.held.iter().for_each(Held::wake_all);
    }
}
