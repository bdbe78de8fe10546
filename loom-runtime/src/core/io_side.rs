//! What is known of a tokio runtime whose tasks make compute calls: its workers, how busy they are, and
//! what the way to the compute pool costs from there.
//!
//! A runtime of Loom's has one. The process-wide pool serves every tokio runtime of the program and
//! knows them apart: a thread finds the one it belongs to by its tokio handle, and keeps what it found.
//! What is known ends with the threads that keep it, so runtimes that have ended leave nothing behind.

use std::cell::RefCell;

use tokio::runtime::{Handle, Id};

use crate::scheduler::Overhead;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

use super::pressure::Pressure;
use super::withheld::Withheld;

/// One tokio runtime, as its calls see it.
#[derive(Debug, Default)]
pub(crate) struct IoSide {
    /// Its workers; `None` where calls are made outside of any tokio runtime.
    pub(crate) workers: Option<usize>,
    pub(crate) pressure: Pressure,
    /// Nanoseconds that inline calls took on its workers.
    pub(crate) inline_nanos: AtomicU64,
    /// Those of them that would have been offloaded.
    pub(crate) withheld: Withheld,
    /// The bridge's overhead: round trip minus run time.
    pub(crate) overhead: Arc<Overhead>,
    pub(crate) probes: Probes,
    /// Its own range of levels, so that a thread draws its verdicts anew where it comes to another one.
    first_level: u32,
}

/// More than there are levels of pressure.
const LEVELS: u32 = 128;

static SIDES: Mutex<Vec<(Id, Weak<IoSide>)>> = Mutex::new(Vec::new());

thread_local! {
    /// What the thread found last.
    static FOUND: RefCell<Option<(Id, Arc<IoSide>)>> = const { RefCell::new(None) };
}

impl IoSide {
    pub(crate) fn new(workers: Option<usize>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let first_level = NEXT.fetch_add(LEVELS, Ordering::Relaxed);
        Self { workers, first_level, ..Self::default() }
    }

    /// Changes when verdicts have to be drawn anew.
    #[inline]
    pub(crate) fn level(&self) -> u32 {
        self.first_level.wrapping_add(self.pressure.pressure_level())
    }
}

/// When the way to the pool is tried although nothing is offloaded: for functions in the mode `observe`.
///
/// `Relaxed`: two threads that count at once lose a call, and one of them probes.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// Calls since the last probe.
    calls: AtomicU64,
    /// When the next one may come, in nanoseconds; 0 before the first.
    next: AtomicU64,
}

/// At most one probe in so many calls, after the first one, and at most this part of the time.
const CALLS_A_PROBE: u64 = 1000;
const TIME_A_PROBE: f64 = 1000.0;

impl Probes {
    /// Counts calls. True if a probe that costs so many nanoseconds is due: the caller then makes it.
    pub(crate) fn is_due(&self, calls: u64, cost: f64, now: u64) -> bool {
        let calls = self.calls.load(Ordering::Relaxed).saturating_add(calls);
        let next = self.next.load(Ordering::Relaxed);
        let is_first = next == 0;
        let may_be = is_first || calls >= CALLS_A_PROBE && now >= next;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short time")]
        let after = now + (cost * TIME_A_PROBE) as u64 + 1;
        let is_due = may_be
            && self
                .next
                .compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        self.calls.store(if is_due { 0 } else { calls }, Ordering::Relaxed);
        is_due
    }
}

/// Calls `f` with the calling thread's tokio runtime. Returns `None` where it belongs to none.
pub(super) fn with_current<R>(f: impl FnOnce(&IoSide, &Handle) -> R) -> Option<R> {
    let Ok(handle) = Handle::try_current() else {
        // The thread has left the runtime that it found last.
        drop(FOUND.try_with(|found| found.try_borrow_mut().ok().and_then(|mut it| it.take())));
        return None;
    };
    let id = handle.id();
    let kept = FOUND.try_with(|found| {
        let found = found.try_borrow().ok()?;
        found.as_ref().filter(|(of, _)| *of == id).map(|(_, side)| Arc::clone(side))
    });
    let side = kept.ok().flatten().unwrap_or_else(|| find(id, &handle));
    Some(f(&side, &handle))
}

/// Calls `f` with what the calling thread found last, which is that of another runtime only until the
/// thread's next measured call.
#[inline]
pub(super) fn with_last<R>(f: impl FnOnce(&IoSide) -> R) -> Option<R> {
    let last = |found: &RefCell<Option<(Id, Arc<IoSide>)>>| {
        let found = found.try_borrow().ok()?;
        Some(f(&found.as_ref()?.1))
    };
    FOUND.try_with(last).ok().flatten()
}

#[cold]
fn find(id: Id, handle: &Handle) -> Arc<IoSide> {
    let mut sides = SIDES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = sides.iter().find(|(of, _)| *of == id).and_then(|(_, side)| side.upgrade());
    let side = known.unwrap_or_else(|| {
        sides.retain(|(_, side)| side.strong_count() > 0);
        let side = Arc::new(IoSide::new(Some(handle.metrics().num_workers())));
        sides.push((id, Arc::downgrade(&side)));
        side
    });
    drop(sides);
    let new = Some((id, Arc::clone(&side)));
    // The earlier one is dropped outside of the borrow.
    drop(FOUND.try_with(|found| {
        found.try_borrow_mut().ok().and_then(|mut it| std::mem::replace(&mut *it, new))
    }));
    side
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::Probes;

    #[test]
    fn a_probe_takes_a_thousandth_of_the_calls_and_of_the_time() {
        let probes = Probes::default();
        assert!(probes.is_due(1, 10e3, 0), "the first");
        assert!(!probes.is_due(5000, 10e3, 9_000_000), "10 ms have not passed");
        assert!(probes.is_due(1, 10e3, 10_000_001));
        assert!(!probes.is_due(999, 10e3, 1_000_000_000));
        assert!(probes.is_due(1, 10e3, 1_000_000_000));
    }
}
