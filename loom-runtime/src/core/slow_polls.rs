//! Polls that held their thread up, counted by place: the line that spawned a task, an observed future, a
//! route.
//!
//! Owns the names of places, which are the process's, and what one runtime counts of each. It times
//! nothing: `threads::observed` does.

use std::cell::Cell;
#[cfg(feature = "tower")]
use std::collections::BTreeMap;
use std::panic::Location;
use std::time::Duration;

use crate::metrics::{Counter, Histogram, Recorder};
use crate::scheduler::{Table, Trie};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(feature = "tower")]
use crate::sync::{Mutex, PoisonError};

use super::function::nanos;

/// The limit where none is set.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_millis(1);
/// How many names of routes a process has.
#[cfg(feature = "tower")]
const MOST_ROUTES: usize = 512;
/// How many of a place's first polls are timed.
const FIRST_LOOKS: u32 = 16;
/// How many polls of a place are timed after one that may have been slow.
const LOOKS: u32 = 1024;

/// A place that polls futures. Places are never removed.
#[derive(Debug)]
pub(crate) struct Spot {
    index: u32,
    pub(crate) name: Option<&'static str>,
    /// Where it is in the source, if that says anything.
    pub(crate) location: Option<&'static Location<'static>>,
}

static SPOTS: Trie<(usize, usize), Spot> = Trie::new();
/// The next index. `Relaxed`: it publishes nothing.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Spot {
    /// The tasks that a line spawns.
    pub(crate) fn of_task(location: &'static Location<'static>) -> &'static Self {
        Self::of(None, Some(location))
    }

    /// The futures that a line gives a name.
    pub(crate) fn of_future(
        name: &'static str,
        location: &'static Location<'static>,
    ) -> &'static Self {
        Self::of(Some(name), Some(location))
    }

    /// What has a name and no line.
    #[cfg(any(test, feature = "fleet", feature = "plugin-host"))]
    pub(crate) fn named(name: &'static str) -> &'static Self {
        Self::of(Some(name), None)
    }

    /// The requests of a route. There are no more than so many; the others are one place.
    #[cfg(feature = "tower")]
    pub(crate) fn of_route(name: &str) -> &'static Self {
        static ROUTES: Mutex<BTreeMap<&str, &Spot>> = Mutex::new(BTreeMap::new());
        let mut routes = ROUTES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spot) = routes.get(name) {
            return spot;
        }
        let is_full = routes.len() >= MOST_ROUTES;
        let name = if is_full { "other requests" } else { &*name.to_owned().leak() };
        routes.entry(name).or_insert_with(|| Self::of(Some(name), None))
    }

    fn of(
        name: Option<&'static str>,
        location: Option<&'static Location<'static>>,
    ) -> &'static Self {
        // By address, since a comparison of texts would cost every spawn more. Two addresses of one place
        // are two places, which reports add up.
        let address = |text: &str| text.as_ptr().addr();
        let at = location.map_or(0, |location| std::ptr::from_ref(location).addr());
        SPOTS.entry((name.map_or(0, address), at), || {
            let index = NEXT.fetch_add(1, Ordering::Relaxed);
            Self { index, name, location }
        })
    }
}

/// The slow polls of one runtime, or of what belongs to none.
///
/// `Relaxed` throughout: statistics, which publish nothing. Aligned, since every poll reads it, and fields
/// beside it are written.
#[derive(Debug)]
#[repr(align(64))]
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

    #[inline]
    pub(crate) fn place(&self, spot: &'static Spot) -> &Place {
        self.places.entry(spot.index, || Place::new(spot))
    }

    /// Adds a place, and returns its number.
    pub(crate) fn add(&self, spot: &'static Spot) -> u32 {
        self.place(spot);
        spot.index
    }

    /// The place with that number, if it was added.
    #[inline]
    pub(crate) fn place_at(&self, index: u32) -> Option<&Place> {
        self.places.get(index)
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
    /// How many of the next polls are timed. Threads that count at once lose a step.
    looks: AtomicU32,
    blocked: Counter,
    longest: AtomicU64,
    times: Recorder,
}

impl Place {
    fn new(spot: &'static Spot) -> Self {
        let looks = AtomicU32::new(FIRST_LOOKS);
        let (blocked, longest, times) = <_>::default();
        Self { spot, looks, blocked, longest, times }
    }

    /// Whether the poll that begins now is to be timed.
    #[inline]
    pub(crate) fn takes_look(&self) -> bool {
        let looks = self.looks.load(Ordering::Relaxed);
        if looks > 0 {
            self.looks.store(looks - 1, Ordering::Relaxed);
        }
        looks > 0
    }

    /// The next polls are timed: one that was not may have been slow.
    pub(crate) fn is_suspected(&self) {
        self.looks.store(LOOKS, Ordering::Relaxed);
    }

    /// Counts a poll that has held its thread for so long, `blocked` if the thread waited for most of it.
    /// True for the first one.
    pub(crate) fn was_slow(&self, held: Duration, blocked: bool) -> bool {
        self.is_suspected();
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
    /// Nanoseconds of this thread that another report names already.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// The calling thread has spent that many nanoseconds on what another report names: annotated functions
/// that ran inline, slow polls within this one.
pub(crate) fn tell(nanos: u64) {
    // A thread that is being torn down polls no more.
    let _ = TOLD.try_with(|told| told.set(told.get().wrapping_add(nanos)));
}

/// How many nanoseconds the thread was told of so far.
pub(crate) fn told() -> u64 {
    TOLD.try_with(Cell::get).unwrap_or_default()
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_its_address() {
        let here = Location::caller();
        let spot = Spot::of_task(here);
        assert!(std::ptr::eq(spot, Spot::of_task(here)));
        assert!(!std::ptr::eq(spot, Spot::of_future("reads", here)));
        assert_eq!(Spot::of_future("reads", here).name, Some("reads"));
    }

    #[cfg(feature = "tower")]
    #[test]
    fn routes_are_bounded() {
        let first = Spot::of_route("GET /0");
        assert!(std::ptr::eq(first, Spot::of_route("GET /0")));
        let mut names: Vec<_> =
            (0..2000).map(|n| Spot::of_route(&format!("GET /{n}")).name).collect();
        names.dedup();
        assert_eq!(names.len(), MOST_ROUTES + 1);
        assert_eq!(names.last(), Some(&Some("other requests")));
    }

    #[test]
    fn the_first_polls_are_timed_and_those_after_a_slow_one() {
        let polls = SlowPolls::default();
        let place = polls.place(Spot::named("timed"));
        let timed = || std::iter::repeat_with(|| place.takes_look()).take_while(|takes| *takes);
        assert_eq!(timed().count(), FIRST_LOOKS as usize);
        assert!(place.was_slow(Duration::from_millis(3), false), "the first");
        assert_eq!(timed().count(), LOOKS as usize);
        assert!(!place.was_slow(Duration::from_millis(2), true));
        assert_eq!((place.times().count(), place.blocked()), (2, 1));
        assert_eq!(place.longest(), Duration::from_millis(3));
    }
}
