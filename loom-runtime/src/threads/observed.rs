//! Watches how long polls hold their thread up.
//!
//! One poll in eight, drawn at random, reads the coarse clock before and after. If the clock has moved on so far
//! that the poll may have taken longer than the limit, the next polls of its place are timed, the thread's CPU
//! time included. Only a timed poll counts: the thread of another one may have been ready to run and had no CPU,
//! which no code of the poll's can change. A poll that is neither timed nor drawn looks for no runtime.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::worker_index;

use crate::core::{SlowPolls, Spot, Stopwatch, Told, context, is_quiet, local_core, nanos};
use crate::scheduler::{Run, Used};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::topology::os;

use super::warn::say;

/// After so many lines the process prints no more of them.
const LINES: u32 = 20;

/// The slow polls of futures that no runtime of Loom's polls.
pub(crate) fn of_no_runtime() -> &'static SlowPolls {
    static SLOW_POLLS: OnceLock<SlowPolls> = OnceLock::new();
    SLOW_POLLS.get_or_init(SlowPolls::default)
}

/// A poll that has begun.
pub(crate) enum Watch {
    Unwatched,
    /// The coarse clock showed this.
    Coarse(u64),
    Timed(Look),
}

/// A poll that is timed.
pub(crate) struct Look {
    watch: Stopwatch,
    told: Told,
}

impl Watch {
    /// `place` is the number of the place, and `limit` what its runtime says ([`SlowPolls::limit`]).
    #[inline]
    pub(crate) fn begin(place: u32, limit: impl FnOnce() -> Option<u64>) -> Self {
        let is_quiet = is_quiet(place);
        if is_quiet && !is_drawn() || limit().is_none() {
            Self::Unwatched
        } else {
            Self::begin_looking(place, is_quiet)
        }
    }

    /// Apart, so that a poll inlines no more than what most polls need.
    #[inline(never)]
    fn begin_looking(place: u32, is_quiet: bool) -> Self {
        if !is_quiet && Spot::at(place).is_some_and(Spot::takes_look) {
            Self::Timed(Look { told: Told::so_far(), watch: Stopwatch::start(true) })
        } else if is_quiet || is_drawn() {
            Self::Coarse(os::tick())
        } else {
            Self::Unwatched
        }
    }

    /// Whether [`end`](Self::end) is to be called, now that the poll has returned.
    #[inline]
    pub(crate) fn may_have_been_slow(&self) -> bool {
        match self {
            Self::Unwatched => false,
            Self::Coarse(tick) => os::tick() != *tick,
            Self::Timed(_) => true,
        }
    }

    /// The poll has returned: how long it took, as far as that is known.
    #[cold]
    pub(crate) fn end(self) -> Polled {
        match self {
            Self::Unwatched => Polled::Untimed(Duration::ZERO),
            Self::Coarse(tick) => Polled::Untimed(os::passed_since(tick)),
            Self::Timed(look) => Polled::Timed(look.watch.stop(), look.told),
        }
    }
}

/// A poll that has ended.
pub(crate) enum Polled {
    /// By the coarse clock it has taken that long, or its thread was preempted.
    Untimed(Duration),
    /// What it took, and what its thread was told of before.
    Timed(Run, Told),
}

impl Polled {
    /// Whether it took longer than this many nanoseconds.
    fn is_beyond(&self, limit: u64) -> bool {
        match self {
            Self::Untimed(took) => nanos(*took) >= limit,
            Self::Timed(run, _) => nanos(run.took) >= limit,
        }
    }

    /// Counts a slow poll of a place, for the runtime that has these. A request's counts under that name.
    #[cold]
    pub(crate) fn judge(self, polls: &SlowPolls, place: u32, route: Option<&str>) {
        let limit = polls.limit().filter(|limit| self.is_beyond(*limit));
        let (Some(limit), Some(spot)) = (limit, Spot::at(place)) else { return };
        // A compute thread may be held up.
        if rayon::current_thread_index().is_some() {
            return;
        }
        let Self::Timed(run, told) = self else { return spot.suspect() };
        let (held, is_blocked) = held(run, told.since());
        if nanos(held) < limit {
            return;
        }
        let took = nanos(run.took);
        told.tell(took, if is_blocked { 0 } else { took });
        spot.convict();
        let Some(place) = polls.place(route.map_or(place, Spot::of_route)) else { return };
        if place.was_slow(held, is_blocked) {
            announce(place.spot, held, is_blocked);
        }
    }
}

/// True for one call in eight. At random, since polls of nested futures and of tasks that wake each other come
/// in turns.
#[inline]
fn is_drawn() -> bool {
    thread_local! {
        static STATE: Cell<u32> = const { Cell::new(0) };
    }
    // A linear congruential generator; Numerical Recipes has its numbers.
    let draw = |state: &Cell<u32>| {
        let next = state.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.set(next);
        next >> 29 == 0
    };
    STATE.try_with(draw).unwrap_or_default()
}

/// How long a poll has held its thread up of its own, and whether the thread waited for most of that time.
/// Other reports name what was told of.
fn held(run: Run, told: Told) -> (Duration, bool) {
    let took = run.took.saturating_sub(Duration::from_nanos(told.took));
    let own = |cpu: Duration| cpu.saturating_sub(Duration::from_nanos(told.cpu));
    match run.used {
        // It gave up no CPU: what is beyond its CPU time, others had.
        Used::Cpu(cpu, 0) => (took.min(own(cpu)), false),
        Used::Cpu(cpu, _) => (took, own(cpu) < took / 2),
        Used::All | Used::Unknown => (took, false),
    }
}

/// Prints a line.
#[cold]
fn announce(spot: &Spot, held: Duration, is_blocked: bool) {
    // `Relaxed`: it publishes nothing.
    static PRINTED: AtomicU32 = AtomicU32::new(0);
    let line = PRINTED.fetch_add(1, Ordering::Relaxed);
    let thread = if local_core::is_here() {
        "a local core"
    } else if worker_index().is_some() {
        "an I/O worker"
    } else {
        "its thread"
    };
    let held = Duration::from_micros(held.as_micros().try_into().unwrap_or(u64::MAX));
    let remedy = if is_blocked {
        "most of it without a CPU: move what blocks to `loom::spawn_blocking`"
    } else {
        "annotate what it calls with `#[loom::compute]`"
    };
    let rest = match line + 1 {
        LINES => "; `loom::slow_polls()` lists it and all others, and no more are printed",
        line if line > LINES => return,
        _ => "",
    };
    let joint = if is_blocked { ", " } else { ": " };
    say(&format!("{spot} held {thread} for {held:?}{joint}{remedy}{rest}"));
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name, self.location) {
            (Some(name), Some(at)) => write!(f, "`{name}` ({}:{})", at.file(), at.line()),
            (Some(name), None) => write!(f, "`{name}`"),
            (None, Some(at)) => write!(f, "the task of {}:{}", at.file(), at.line()),
            (None, None) => f.write_str("a task"),
        }
    }
}

pin_project! {
    /// A future whose polls are watched; made by [`observe`](crate::observe()).
    #[must_use = "futures do nothing unless polled"]
    pub struct Observed<F> {
        #[pin]
        future: F,
        place: u32,
        // The name of a request, which has a place only once it is slow.
        route: Option<String>,
    }
}

impl<F> Observed<F> {
    /// `place` is the number of the place.
    #[inline]
    pub(crate) fn new(place: u32, future: F) -> Self {
        Self { future, place, route: None }
    }

    /// A request with that name.
    #[cfg(feature = "tower")]
    pub(crate) fn of_request(name: String, future: F) -> Self {
        Self { route: Some(name), ..Self::new(Spot::of_requests(), future) }
    }
}

impl<F: Future> Future for Observed<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let place = *this.place;
        let watch = Watch::begin(place, limit_here);
        let polled = this.future.poll(cx);
        if watch.may_have_been_slow() {
            judge_here(watch.end(), place, this.route.as_deref());
        }
        polled
    }
}

/// The limit of the calling thread's runtime.
fn limit_here() -> Option<u64> {
    let own = context::with_current(|core| core.slow_polls.limit());
    own.unwrap_or_else(|| match context::current() {
        Some(core) => core.slow_polls.limit(),
        None => of_no_runtime().limit(),
    })
}

/// Judges a poll that has ended on this thread.
#[cold]
fn judge_here(polled: Polled, place: u32, route: Option<&str>) {
    // Most timed polls are quick, and their runtime is not worth a count of its references.
    if limit_here().is_none_or(|limit| !polled.is_beyond(limit)) {
        return;
    }
    match context::current() {
        Some(core) => polled.judge(&core.slow_polls, place, route),
        None => polled.judge(of_no_runtime(), place, route),
    }
}

impl<F> fmt::Debug for Observed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("place", &Spot::at(self.place)).finish_non_exhaustive()
    }
}

/// Watches the polls of `future`, and counts those that hold their thread up for longer than
/// [`slow_poll`](crate::LoomBuilder::slow_poll), under a name.
///
/// A future is polled between two awaits. While it computes or blocks there, nothing else runs on its
/// thread, and other tasks wait. [`slow_polls`](crate::slow_polls) lists what was counted, and the first slow
/// poll of each name prints a line on standard error. Tasks of [`spawn_async`](crate::spawn_async) and of
/// local cores are watched without this, by the line that spawns them; requests are by `SlowPollLayer` of
/// [`tower`](crate#where-to-look).
///
/// - Time in which the thread was ready to run and had no CPU does not count, unless it waited in the same poll,
///   too. Neither does what annotated functions took that ran inline and were measured, nor what an observed
///   future within this one is blamed for: each slow poll has one name.
/// - A poll on a compute thread does not count, since nobody else waits for it.
/// - The first 16 polls of a place, which is a name on a line, are timed, and so are the next 1,024 after each that
///   was slow. One in eight of the others is looked at by the coarse clock, which moves every few milliseconds. If
///   one looks slow, the next polls of its place are timed: as many as milliseconds have passed since a poll looked
///   slow on that thread, from 16 to 1,024. What is often slow is counted; of rare slow polls among many quick ones
///   some are, and a lone one may be missed.
/// - All runtimes of a process that watch polls share which of them are timed.
/// - It counts for the runtime to which the thread belongs when the poll returns.
/// - A poll that calls `tokio::task::block_in_place` counts although its worker's tasks have moved on;
///   with [`loom::block_in_place`](crate::block_in_place) it does not.
///
/// It works in any tokio program, with and without a runtime of Loom's; the limit is 1 ms without one, and in plug-ins.
///
/// Cost: a load and a random number for each poll of the first 1,024 places, and two readings of the coarse clock for
/// one in eight (`loom-bench micro`, rows `observed poll` and `on one CPU`); no allocation. A timed poll costs one or
/// two microseconds more, and those after polls that only looked slow take one or two thousandths of the time that
/// passes on their thread. Beside a tokio runtime of the program's own, each that is looked at or timed takes a lock.
///
/// Cancellation: dropping it drops `future`. Panics of `future` pass through, and such a poll is not counted.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// async fn index(text: String) -> usize {
///     text.split(' ').count()
/// }
///
/// let words = loom::observe("index", index("one two".to_owned())).await;
/// assert_eq!(words, 2);
/// # }
/// ```
#[inline]
#[track_caller]
pub fn observe<F: Future>(name: &'static str, future: F) -> Observed<F> {
    Observed::new(Spot::of_future(name, Location::caller()), future)
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn what_others_had_does_not_count() {
        let ms = Duration::from_millis;
        let run = |took, used| Run { took: ms(took), used };
        let told = |took, cpu| Told { took: nanos(ms(took)), cpu: nanos(ms(cpu)) };
        let none = Told::default();
        assert_eq!(held(run(9, Used::Cpu(ms(2), 0)), none), (ms(2), false), "it had no CPU");
        assert_eq!(held(run(9, Used::Cpu(ms(2), 1)), none), (ms(9), true), "it waited");
        assert_eq!(held(run(9, Used::Cpu(ms(8), 1)), none), (ms(9), false));
        assert_eq!(held(run(9, Used::Cpu(ms(8), 0)), told(7, 7)), (ms(1), false), "elsewhere");
        assert_eq!(held(run(9, Used::All), told(12, 12)), (Duration::ZERO, false));
        // What waited was told of, and what is left computes; and the other way round.
        assert_eq!(held(run(55, Used::Cpu(ms(5), 1)), told(50, 0)), (ms(5), false));
        assert_eq!(held(run(35, Used::Cpu(ms(20), 1)), told(20, 20)), (ms(15), true));
    }

    #[test]
    fn one_in_eight_is_drawn_and_no_turn_is_left_out() {
        let drawn: Vec<_> = (0..8000).map(|_| is_drawn()).collect();
        for period in 1..=8 {
            for turn in 0..period {
                let of_turn = || drawn.iter().skip(turn).step_by(period);
                let share = of_turn().filter(|is| **is).count() * 100 / of_turn().count();
                assert!((7..19).contains(&share), "{share} % of turn {turn} of {period}");
            }
        }
    }

    #[test]
    fn a_place_is_told_in_words() {
        let at = Location::caller();
        let place = format!("{}:{}", at.file(), at.line());
        let told = |index| Spot::at(index).map(ToString::to_string).unwrap_or_default();
        assert_eq!(told(Spot::of_task(at)), format!("the task of {place}"));
        assert_eq!(told(Spot::of_future("reads", at)), format!("`reads` ({place})"));
        assert_eq!(told(Spot::named("POST /")), "`POST /`");
    }
}
