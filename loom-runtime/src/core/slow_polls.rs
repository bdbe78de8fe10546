//! Polls that held their thread up, counted by place: the line that spawned a task, an observed future, a
//! route.
//!
//! Owns the names of places, which are the process's, and what one runtime counts of each. It times
//! nothing: `threads::observed` does.

use std::array;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::metrics::{Counter, Histogram, Recorder};
use crate::scheduler::{Table, Trie};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock, PoisonError};
use crate::text::beginning;

use super::function::nanos;

/// The limit where none is set.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_millis(1);
/// How many names of routes a process has, and of how many bytes.
const MOST_ROUTES: usize = 512;
const LONGEST_ROUTE: usize = 120;
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

static SPOTS: Trie<At, Spot> = Trie::new();
/// The same by index.
static BY_INDEX: OnceLock<Table<&'static Spot>> = OnceLock::new();
/// The next index. `Relaxed`: it publishes nothing.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// How many places a thread remembers.
const REMEMBERED: usize = 8;

/// What tells a place: the address and the length of its name, and the address of its line. Comparing texts would
/// cost every spawn more. Two addresses of one text are two places, which reports add up.
type At = (usize, usize, usize);

thread_local! {
    /// Places that were named here lately, with their numbers.
    static LAST: [Cell<(At, u32)>; REMEMBERED] =
        const { [const { Cell::new(((0, 0, 0), 0)) }; REMEMBERED] };
}

impl Spot {
    /// The tasks that a line spawns, as the number of their place.
    pub(crate) fn of_task(location: &'static Location<'static>) -> u32 {
        Self::remembered(None, location)
    }

    /// The futures that a line gives a name.
    pub(crate) fn of_future(name: &'static str, location: &'static Location<'static>) -> u32 {
        Self::remembered(Some(name), location)
    }

    /// The number of a place, which a thread usually knows.
    #[inline]
    fn remembered(name: Option<&'static str>, location: &'static Location<'static>) -> u32 {
        let at = address(name, Some(location));
        let slot = at.2 / align_of::<Location<'_>>() % REMEMBERED;
        let index = || Self::of(name, Some(location)).index;
        let remembered = LAST.try_with(|last| {
            let known = &last[slot];
            if known.get().0 != at {
                known.set((at, index()));
            }
            known.get().1
        });
        remembered.unwrap_or_else(|_| index())
    }

    /// What has a name and no line.
    #[cfg(any(test, feature = "fleet", feature = "plugin-host"))]
    pub(crate) fn named(name: &'static str) -> u32 {
        Self::of(Some(name), None).index
    }

    /// All requests, as long as none is slow.
    #[cfg(feature = "tower")]
    pub(crate) fn of_requests() -> u32 {
        Self::of(Some("requests"), None).index
    }

    /// The requests of a route. Clients may choose the name: there are no more than so many, and the others are
    /// one place.
    pub(crate) fn of_route(name: &str) -> u32 {
        static ROUTES: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
        let name = beginning(name, LONGEST_ROUTE);
        let mut routes = ROUTES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = routes.get(name) {
            return *index;
        }
        let is_full = routes.len() >= MOST_ROUTES;
        let name = if is_full { "other requests" } else { &*name.to_owned().leak() };
        *routes.entry(name).or_insert_with(|| Self::of(Some(name), None).index)
    }

    fn of(
        name: Option<&'static str>,
        location: Option<&'static Location<'static>>,
    ) -> &'static Self {
        let spot = SPOTS.entry(address(name, location), || {
            let index = NEXT.fetch_add(1, Ordering::Relaxed);
            Self { index, name, location }
        });
        BY_INDEX.get_or_init(Table::default).entry(spot.index, || spot);
        spot
    }

    /// The place with that number.
    pub(crate) fn at(index: u32) -> Option<&'static Self> {
        BY_INDEX.get()?.get(index).copied()
    }
}

fn address(name: Option<&'static str>, location: Option<&'static Location<'static>>) -> At {
    // Parts of one text may begin at one address.
    let (begin, length) = name.map_or((0, 0), |name| (name.as_ptr().addr(), name.len()));
    (begin, length, location.map_or(0, |location| std::ptr::from_ref(location).addr()))
}

/// How many places have a bit is this times the bits of a word.
const WORDS: usize = 16;
const BITS: usize = u64::BITS as usize;

const fn bit(index: u32) -> u64 {
    1 << (index % u64::BITS)
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
    /// A bit for each of the first places: whether none of its next polls is to be timed.
    quiet: [AtomicU64; WORDS],
    places: Table<Place>,
}

impl Default for SlowPolls {
    fn default() -> Self {
        let quiet = array::from_fn(|_| AtomicU64::new(0));
        Self { limit: AtomicU64::new(nanos(DEFAULT_LIMIT)), quiet, places: Table::default() }
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

    /// Whether none of a place's next polls is to be timed. False where that is not known.
    #[inline]
    pub(crate) fn is_quiet(&self, index: u32) -> bool {
        let word = self.quiet.get(index as usize / BITS);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & bit(index) != 0)
    }

    /// Whether the poll that begins now is to be timed.
    pub(crate) fn takes_look(&self, place: &Place) -> bool {
        let relaxed = Ordering::Relaxed;
        let one_less = |looks: u32| looks.checked_sub(1);
        let takes = place.looks.fetch_update(relaxed, relaxed, one_less).is_ok();
        if !takes && let Some(word) = self.quiet.get(place.spot.index as usize / BITS) {
            word.fetch_or(bit(place.spot.index), relaxed);
            // Another thread may have suspected the place meanwhile.
            if place.looks.load(relaxed) > 0 {
                word.fetch_and(!bit(place.spot.index), relaxed);
            }
        }
        takes
    }

    /// The next polls of the place are timed: one that was not may have been slow.
    pub(crate) fn suspect(&self, place: &Place) {
        place.looks.store(LOOKS, Ordering::Relaxed);
        if let Some(word) = self.quiet.get(place.spot.index as usize / BITS) {
            word.fetch_and(!bit(place.spot.index), Ordering::Relaxed);
        }
    }

    /// Counts a poll that has held its thread for so long, `blocked` if the thread waited for most of it.
    /// True for the first one.
    pub(crate) fn was_slow(&self, place: &Place, held: Duration, blocked: bool) -> bool {
        self.suspect(place);
        place.times.record(held);
        if blocked {
            place.blocked.add_one();
        }
        place.longest.fetch_max(nanos(held), Ordering::Relaxed) == 0
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
    /// How many of the next polls are timed.
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
    fn a_place_is_known_by_its_address() {
        let here = Location::caller();
        let index = Spot::of_task(here);
        assert_eq!(index, Spot::of_task(here));
        assert_ne!(index, Spot::of_future("reads", here));
        let spot = Spot::at(Spot::of_future("reads", here)).expect("it was made");
        assert_eq!(spot.name, Some("reads"));
        let of_part = |length: usize| Spot::of_future(&"reads"[..length], here);
        assert_ne!(of_part(4), of_part(3), "they begin at one address");
        assert!(Spot::at(u32::MAX).is_none());
    }

    #[test]
    fn routes_are_bounded() {
        let first = Spot::of_route("GET /0");
        assert_eq!(first, Spot::of_route("GET /0"));
        let names = (0..2000).map(|n| Spot::of_route(&format!("GET /{n}")));
        let mut names: Vec<_> = names.map(|index| Spot::at(index).map(|spot| spot.name)).collect();
        names.dedup();
        assert_eq!(names.len(), MOST_ROUTES + 1);
        assert_eq!(names.last(), Some(&Some(Some("other requests"))));
        assert_eq!(Spot::of_route(&"é".repeat(1000)), Spot::of_route(&"é".repeat(60)));
    }

    #[test]
    fn the_first_polls_are_timed_and_those_after_a_slow_one() {
        let polls = SlowPolls::default();
        let index = Spot::named("timed");
        let place = polls.place(index).expect("it was made");
        let timed = || std::iter::repeat_with(|| polls.takes_look(place)).take_while(|it| *it);
        assert!(!polls.is_quiet(index));
        assert_eq!(timed().count(), FIRST_LOOKS as usize);
        assert!(polls.is_quiet(index) || index as usize >= WORDS * BITS);
        assert!(polls.was_slow(place, Duration::from_millis(3), false), "the first");
        assert!(!polls.is_quiet(index));
        assert_eq!(timed().count(), LOOKS as usize);
        assert!(!polls.was_slow(place, Duration::from_millis(2), true));
        assert_eq!((place.times().count(), place.blocked()), (2, 1));
        assert_eq!(place.longest(), Duration::from_millis(3));
    }
}
