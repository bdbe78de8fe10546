//! The slow polls of a runtime, for programs that look for code to annotate.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::core::{Place, SlowPolls, context};
use crate::metrics::Histogram;
use crate::threads::of_no_runtime;

/// A place whose polls held their thread up for longer than the limit; see [`observe`](crate::observe()).
///
/// `Display` prints the place: "`index` (src/search.rs:40)", "the task of src/main.rs:12", "`POST /thumbnail`".
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The name of an observed future or of a route; `None` for a task.
    pub name: Option<&'static str>,
    /// The line that spawns the task or observes the future; `None` for a route.
    pub location: Option<&'static Location<'static>>,
    /// How many slow polls there were.
    pub count: u64,
    /// Those of them that waited for most of their time, for a lock, a file or a timer: they block, and do not
    /// compute.
    pub blocked: u64,
    /// The longest one.
    pub longest: Duration,
    /// How long they held their thread.
    pub times: Histogram,
    place: String,
}

impl SlowPoll {
    fn of(place: &Place) -> Self {
        let spot = place.spot;
        Self {
            name: spot.name,
            location: spot.location,
            count: 0,
            blocked: place.blocked(),
            longest: place.longest(),
            times: place.times(),
            place: spot.to_string(),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.blocked += other.blocked;
        self.longest = self.longest.max(other.longest);
        self.times.merge(&other.times);
    }
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Those that took longest in all first. Places that are told in the same words are one.
pub(crate) fn of_polls(polls: &SlowPolls) -> Vec<SlowPoll> {
    let mut merged = BTreeMap::<String, SlowPoll>::new();
    for slow in polls.places().filter(|place| !place.longest().is_zero()).map(SlowPoll::of) {
        match merged.get_mut(&slow.place) {
            Some(known) => known.merge(&slow),
            None => drop(merged.insert(slow.place.clone(), slow)),
        }
    }
    let mut all: Vec<_> = merged.into_values().collect();
    for slow in &mut all {
        slow.count = slow.times.count();
    }
    all.sort_by_key(|slow| std::cmp::Reverse(slow.times.sum()));
    all
}

/// The places whose polls were slow on the current runtime, those that took longest in all first; outside of
/// any runtime of Loom's, those of [`observe`](crate::observe()) there.
///
/// Cost: a copy of each histogram. No poll waits for it.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # #[loom::main]
/// # async fn main() {
/// let busy = async {
///     let began = Instant::now();
///     while began.elapsed() < Duration::from_millis(50) {}
/// };
/// loom::observe("a busy loop", busy).await;
/// let slow = loom::slow_polls();
/// assert_eq!(slow[0].name, Some("a busy loop"));
/// assert_eq!(slow[0].count, 1);
/// # }
/// ```
#[must_use]
pub fn slow_polls() -> Vec<SlowPoll> {
    match context::current() {
        Some(core) => of_polls(&core.slow_polls),
        None => of_polls(of_no_runtime()),
    }
}
