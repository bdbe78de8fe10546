//! Polls that held their thread up, as one runtime counts them by place.
//!
//! It times nothing: `threads::observed` does.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::metrics::{Counter, Histogram, Recorder};
use crate::scheduler::Table;
use crate::sync::atomic::{AtomicU64, Ordering};

use super::function::nanos;
use super::spot::Spot;

/// The limit where none is set.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_millis(1);

/// The slow polls of one runtime, or of what belongs to none.
///
/// `Relaxed` throughout: statistics, which publish nothing.
#[derive(Debug)]
pub(crate) struct SlowPolls {
    /// Nanoseconds; 0 if polls are not watched.
    limit: AtomicU64,
    places: Table<Place>,
}

impl Default for SlowPolls {
    fn default() -> Self {
        Self { limit: AtomicU64::new(nanos(DEFAULT_LIMIT)), places: Table::default() }
    }
}

impl SlowPolls {
    /// Sets the limit; `None` watches no polls.
    pub(crate) fn set_limit(&self, limit: Option<Duration>) {
        self.limit.store(limit.map_or(0, nanos), Ordering::Relaxed);
    }

    /// The limit in nanoseconds.
    #[inline]
    pub(crate) fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// The place with that number.
    #[inline]
    pub(crate) fn place(&self, index: u32) -> Option<&Place> {
        if let Some(place) = self.places.get(index) {
            return Some(place);
        }
        let spot = Spot::at(index)?;
        Some(self.places.entry(index, || Place::new(spot)))
    }

    /// The places so far, slow or not.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }
}

/// What owns a task, and knows the place of its polls.
pub(crate) trait OfPlace {
    fn slow_polls(&self) -> &SlowPolls;

    /// The number of the place.
    fn place(&self) -> u32;
}

/// What is known of the polls of one place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) spot: &'static Spot,
    blocked: Counter,
    longest: AtomicU64,
    times: Recorder,
}

impl Place {
    fn new(spot: &'static Spot) -> Self {
        let (blocked, longest, times) = <_>::default();
        Self { spot, blocked, longest, times }
    }

    /// Counts a poll that has held its thread for so long, `blocked` if the thread waited for most of it.
    /// True for the first one.
    pub(crate) fn was_slow(&self, held: Duration, blocked: bool) -> bool {
        self.times.record(held);
        if blocked {
            self.blocked.add_one();
        }
        self.longest.fetch_max(nanos(held), Ordering::Relaxed) == 0
    }

    pub(crate) fn blocked(&self) -> u64 {
        self.blocked.count()
    }

    /// Zero if no poll was slow.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Ordering::Relaxed))
    }

    pub(crate) fn times(&self) -> Histogram {
        self.times.snapshot()
    }
}

thread_local! {
    /// What this thread has spent so far on what another report names.
    static TOLD: Cell<Told> = const { Cell::new(Told { took: 0, cpu: 0 }) };
}

/// Time that a thread has spent on what another report names than that of the poll around it: annotated
/// functions that ran inline, slow polls within, what `block_in_place` ran. In nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) took: u64,
    /// The CPU time in it.
    pub(crate) cpu: u64,
}

impl Told {
    /// What the calling thread was told of so far.
    pub(crate) fn so_far() -> Self {
        TOLD.try_with(Cell::get).unwrap_or_default()
    }

    /// Runs `f`, for whose time the poll around it is not to blame: it holds up no other task, or is Loom's own.
    pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
        let (told, began) = (Self::so_far(), Instant::now());
        let result = f();
        // It waits, as far as anybody knows.
        told.tell(nanos(began.elapsed()), 0);
        result
    }

    /// What it was told of since.
    pub(crate) fn since(self) -> Self {
        let now = Self::so_far();
        Self { took: now.took.wrapping_sub(self.took), cpu: now.cpu.wrapping_sub(self.cpu) }
    }

    /// Tells of all that the thread has spent since, which took so long; some of it was told of already.
    pub(crate) fn tell(self, took: u64, cpu: u64) {
        let within = self.since();
        let all = Self::so_far();
        let took = all.took.wrapping_add(took.saturating_sub(within.took));
        let cpu = all.cpu.wrapping_add(cpu.saturating_sub(within.cpu));
        // A thread that is being torn down polls no more.
        let _ = TOLD.try_with(|told| told.set(Self { took, cpu }));
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_its_slow_polls() {
        let polls = SlowPolls::default();
        let place = polls.place(Spot::named("counted")).expect("it was made");
        assert!(place.longest().is_zero());
        assert!(place.was_slow(Duration::from_millis(3), false), "the first");
        assert!(!place.was_slow(Duration::from_millis(2), true));
        assert_eq!((place.times().count(), place.blocked()), (2, 1));
        assert_eq!(place.longest(), Duration::from_millis(3));
    }
}
