//! Guards that outlast the mean: what a few dear calls among many cheap ones leave behind.

use std::time::Duration;

use crate::sync::atomic::{AtomicU32, Ordering};

use super::decide::BLOCKING_CAP;

/// For how many calls a site stays offloaded after one that was too long for inline.
const SLOW_FOR: u32 = 256;

/// Remembers for a while that a call took longer than may run inline.
///
/// `Relaxed`, and not exact where calls are made at once: a statistic that publishes nothing.
#[derive(Debug, Default)]
pub(crate) struct RecentlySlow {
    calls_left: AtomicU32,
}

impl RecentlySlow {
    pub(crate) fn record(&self, run_time: Duration) {
        if run_time >= BLOCKING_CAP {
            self.calls_left.store(SLOW_FOR, Ordering::Relaxed);
        }
    }

    /// Whether one of the last `SLOW_FOR` calls was; each look counts as a call.
    pub(crate) fn look(&self) -> bool {
        let left = self.calls_left.load(Ordering::Relaxed);
        if left > 0 {
            self.calls_left.store(left - 1, Ordering::Relaxed);
        }
        left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_call_is_remembered_for_a_while_and_no_longer() {
        let slow = RecentlySlow::default();
        slow.record(BLOCKING_CAP / 2);
        assert!(!slow.look());
        slow.record(BLOCKING_CAP);
        assert!((0..SLOW_FOR).all(|_| slow.look()));
        assert!(!slow.look(), "nothing is barred for ever");
    }
}
