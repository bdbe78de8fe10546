//! Places that poll futures: the line that spawns a task, an observed future, a route.
//!
//! They are the process's, and so is which of their polls are timed: a poll has to know no runtime for that. What
//! was slow, each runtime counts for itself (`slow_polls.rs`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::scheduler::{Table, Trie};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock, PoisonError};
use crate::text::beginning;

/// How many names of routes a process has, and of how many bytes.
const MOST_ROUTES: usize = 512;
const LONGEST_ROUTE: usize = 120;
/// How many of a place's first polls are timed, and how many at least after one that may have been slow.
const FEWEST_LOOKS: u32 = 16;
/// How many are timed after a slow one.
const MOST_LOOKS: u32 = 1024;

/// A place that polls futures. Places are never removed.
#[derive(Debug)]
pub(crate) struct Spot {
    index: u32,
    pub(crate) name: Option<&'static str>,
    /// Where it is in the source, if that says anything.
    pub(crate) location: Option<&'static Location<'static>>,
    /// How many of the next polls are timed.
    looks: AtomicU32,
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
        static REQUESTS: OnceLock<u32> = OnceLock::new();
        *REQUESTS.get_or_init(|| Self::of(Some("requests"), None).index)
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
            Self { index, name, location, looks: AtomicU32::new(FEWEST_LOOKS) }
        });
        BY_INDEX.get_or_init(Table::default).entry(spot.index, || spot);
        spot
    }

    /// The place with that number.
    pub(crate) fn at(index: u32) -> Option<&'static Self> {
        BY_INDEX.get()?.get(index).copied()
    }

    /// Whether the poll that begins now is to be timed.
    pub(crate) fn takes_look(&self) -> bool {
        let one_less = |looks: u32| looks.checked_sub(1);
        let takes = self.looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        if !takes {
            QUIET.set(self.index, true);
            // Another thread may have suspected the place meanwhile.
            if self.looks.load(Ordering::Relaxed) > 0 {
                QUIET.set(self.index, false);
            }
        }
        takes
    }

    /// A poll that was not timed may have been slow: the next ones are.
    pub(crate) fn suspect(&self) {
        thread_local! {
            static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
        }
        let now = Instant::now();
        let last = LAST.try_with(|last| last.replace(Some(now))).ok().flatten();
        self.time(looks_after(last.map(|last| now.saturating_duration_since(last))));
    }

    /// A poll was slow, whatever the name it counts under: the next ones are timed.
    pub(crate) fn convict(&self) {
        self.time(MOST_LOOKS);
    }

    /// So many next polls are timed, or more if more are to be.
    fn time(&self, looks: u32) {
        self.looks.fetch_max(looks, Ordering::Relaxed);
        QUIET.set(self.index, false);
    }
}

/// How many polls are timed after one that only looked slow, by what has passed since the last such on the same
/// thread, whatever its place. One takes a microsecond or two, so that all of them take one or two thousandths of
/// the time that passes, however often polls look slow: where neighbours take the CPU, many do.
fn looks_after(passed: Option<Duration>) -> u32 {
    let millis = passed.and_then(|passed| u32::try_from(passed.as_millis()).ok());
    millis.unwrap_or(MOST_LOOKS).clamp(FEWEST_LOOKS, MOST_LOOKS)
}

/// Whether none of a place's next polls is to be timed. False where that is not known.
#[inline]
pub(crate) fn is_quiet(index: u32) -> bool {
    QUIET.has(index)
}

fn address(name: Option<&'static str>, location: Option<&'static Location<'static>>) -> At {
    // Parts of one text may begin at one address.
    let (begin, length) = name.map_or((0, 0), |name| (name.as_ptr().addr(), name.len()));
    (begin, length, location.map_or(0, |location| std::ptr::from_ref(location).addr()))
}

/// How many places have a bit is this times the bits of a word.
const WORDS: usize = 16;
const BITS: u32 = u64::BITS;

/// A bit for each of the first places: whether none of its next polls is to be timed.
///
/// `Relaxed`: where two threads race, a place may stay quiet although it has looks, until one of its polls looks slow
/// again. Aligned, since every poll reads it, and what stands beside it is written.
#[repr(align(64))]
struct Quiet([AtomicU64; WORDS]);

static QUIET: Quiet = Quiet([const { AtomicU64::new(0) }; WORDS]);

impl Quiet {
    #[inline]
    fn has(&self, index: u32) -> bool {
        let word = self.0.get((index / BITS) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & bit(index) != 0)
    }

    fn set(&self, index: u32, is_quiet: bool) {
        match self.0.get((index / BITS) as usize) {
            Some(word) if is_quiet => drop(word.fetch_or(bit(index), Ordering::Relaxed)),
            Some(word) => drop(word.fetch_and(!bit(index), Ordering::Relaxed)),
            None => {}
        }
    }
}

const fn bit(index: u32) -> u64 {
    1 << (index % BITS)
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::iter;

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
        let spot = Spot::at(Spot::named("timed")).expect("it was made");
        let timed = || iter::repeat_with(|| spot.takes_look()).take_while(|it| *it).count();
        let has_bit = (spot.index as usize) < WORDS * BITS as usize;
        let [fewest, most] = [FEWEST_LOOKS, MOST_LOOKS].map(|looks| looks as usize);
        assert!(!is_quiet(spot.index));
        assert_eq!(timed(), fewest);
        assert_eq!(is_quiet(spot.index), has_bit);
        spot.suspect();
        assert!(!is_quiet(spot.index));
        assert_eq!(timed(), most, "the first of this thread");
        spot.convict();
        // It takes none of those away.
        spot.suspect();
        assert_eq!(timed(), most);
    }

    #[test]
    fn suspicions_have_a_thousandth_of_the_time() {
        let ms = |ms| looks_after(Some(Duration::from_millis(ms)));
        assert_eq!([0, 4, 16, 32, 900].map(ms), [16, 16, 16, 32, 900]);
        assert_eq!([ms(5000), ms(u64::MAX), looks_after(None)], [1024; 3]);
    }
}
