//! What each place that takes a waker has to endure: wakers that panic in any step, or call back.
//!
//! Owns the cases. Each room describes its own places as a [`Place`], in a `hostile_tests.rs`.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::bridge::hostile::calm_down;
pub(crate) use crate::bridge::hostile::{Hostile, Step, forget_here, here};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, thread};

pub(crate) const ALL: [Step; 4] = [Step::Clone, Step::Wake, Step::WakeByRef, Step::Drop];
pub(crate) const WAKES: [Step; 2] = [Step::Wake, Step::WakeByRef];
/// What takes longer never comes.
const HANGS: Duration = Duration::from_secs(30);
/// A waker that panics as it is woken, and again as it is dropped after that.
pub(crate) const ENDS: [Step; 3] = [Step::Wake, Step::WakeByRef, Step::Drop];

/// A place where tasks wait for an event, each with its waker.
pub(crate) trait Place: 'static {
    type Wait: Future + Unpin + 'static;
    /// Whether a future may be polled after a poll has panicked. Those of an `async fn` may not.
    const GOES_ON: bool = true;

    /// A future that waits for the event.
    fn wait(&self) -> Self::Wait;

    /// Lets the event come for each future that waits, now or soon. Wakers may call this while it
    /// runs.
    fn fire(&self);
}

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::<Self>::default();
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs `f`. `None` if it panics.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

#[track_caller]
fn fails(why: &str) -> ! {
    calm_down();
    panic!("{why}")
}

/// Runs `f`, and fails if a panic of a waker gets out of it.
#[track_caller]
pub(crate) fn quietly<R>(what: &str, f: impl FnOnce() -> R) -> R {
    match caught(f) {
        Some(result) => result,
        None => fails(&format!("a panic got out: {what}")),
    }
}

pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Waits until `is_so`, which for most places it is at once.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() >= HANGS {
            fails(what);
        }
        thread::yield_now();
    }
}

/// A future with a waker that does no harm.
pub(crate) struct Waiting<F> {
    future: F,
    wakes: Arc<Wakes>,
    waker: Waker,
    /// How often it had been woken before its last poll.
    before: usize,
    is_over: bool,
}

impl<F: Future + Unpin> Waiting<F> {
    /// Not polled yet.
    pub(crate) fn new(future: F) -> Self {
        let (counted, waker) = Wakes::new();
        Self { future, wakes: counted, waker, before: 0, is_over: false }
    }

    /// Polled once.
    pub(crate) fn of(future: F) -> Self {
        let mut waiting = Self::new(future);
        waiting.poll();
        waiting
    }

    /// To poll it with another waker.
    #[cfg(any(feature = "plugin", feature = "plugin-host"))]
    pub(crate) fn future(&mut self) -> &mut F {
        &mut self.future
    }

    pub(crate) fn poll(&mut self) {
        self.before = self.wakes.count();
        self.is_over = poll(&mut self.future, &self.waker).is_ready();
    }

    /// Fails unless the task was woken since its last poll, and its future is ready.
    #[track_caller]
    pub(crate) fn ends(mut self) {
        if !self.is_over {
            eventually("the task is deaf", || self.wakes.count() > self.before);
            self.poll();
        }
        assert!(self.is_over, "the event has come");
    }
}

/// Runs every case, each on a place of its own, whose events come on this thread.
pub(crate) fn endure<P: Place>(make: impl Fn() -> P) {
    endure_panics(&make);
    calls_back(&make);
}

/// Runs the cases of wakers that panic. The events may come on other threads.
pub(crate) fn endure_panics<P: Place>(make: impl Fn() -> P) {
    clones_that_panic(&make);
    wakes_that_panic(&make);
    drops_that_panic(&make);
}

/// Drops the last waker that the test has, and fails unless it is the last one of all.
#[track_caller]
pub(crate) fn none_is_left(hostile: &Hostile, last: Waker) {
    hostile.behave();
    drop(last);
    eventually("a waker leaks", || hostile.live() == 0);
}

/// What happens to a future after a poll in which the clone of the waker has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing; but it was polled before, with another waker.
    Waits,
    PolledAgain,
    Dropped,
}

/// The panic reaches whoever polls, and the place is as before that poll.
fn clones_that_panic<P: Place>(make: impl Fn() -> P) {
    let cases = [Then::Dropped, Then::Waits, Then::PolledAgain];
    for then in cases.into_iter().take(if P::GOES_ON { 3 } else { 1 }) {
        let place = make();
        let hostile = Hostile::default();
        let waker = hostile.waker();
        hostile.panics_on(&[Step::Clone]);
        let first = Waiting::of(place.wait());
        let mut victim = Waiting::new(place.wait());
        if then == Then::Waits {
            victim.poll();
        }
        let polled = caught(|| poll(&mut victim.future, &waker));
        assert!(polled.is_none(), "the panic reaches the caller of `poll`");
        assert_eq!(hostile.live(), 1);
        let victim = match then {
            Then::Waits => Some(victim),
            Then::PolledAgain => {
                victim.poll();
                assert!(!victim.is_over);
                Some(victim)
            }
            Then::Dropped => {
                quietly("a drop", || drop(victim));
                None
            }
        };
        let last = Waiting::of(place.wait());
        place.fire();
        first.ends();
        if let Some(victim) = victim {
            victim.ends();
        }
        last.ends();
        drop(place);
        none_is_left(&hostile, waker);
    }
}

/// Neither the thread that lets the event come nor the other tasks notice.
fn wakes_that_panic<P: Place>(make: impl Fn() -> P) {
    for steps in [&WAKES[..], &ENDS] {
        let place = make();
        let hostile = Hostile::default();
        let waker = hostile.waker();
        let first = Waiting::of(place.wait());
        let mut victims = [place.wait(), place.wait()];
        for victim in &mut victims {
            assert!(poll(victim, &waker).is_pending());
        }
        let last = Waiting::of(place.wait());
        hostile.panics_on(steps);
        quietly("an event", || place.fire());
        eventually("each of the two is woken", || hostile.wakes() >= 2);
        first.ends();
        last.ends();
        for mut victim in victims {
            let (_, good) = Wakes::new();
            quietly("a poll, and a drop", || {
                eventually("the event has come", || poll(&mut victim, &good).is_ready());
                drop(victim);
            });
        }
        quietly("the end of the place", || drop(place));
        none_is_left(&hostile, waker);
    }
}

/// Nobody notices, whatever drops the waker.
fn drops_that_panic<P: Place>(make: impl Fn() -> P) {
    let place = make();
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let of_hostile = || {
        let mut wait = place.wait();
        assert!(poll(&mut wait, &waker).is_pending());
        wait
    };
    let first = Waiting::of(place.wait());
    let mut replaced = Waiting::new(of_hostile());
    let (dropped, unwound, ended) = (of_hostile(), of_hostile(), of_hostile());
    let last = Waiting::of(place.wait());
    hostile.panics_on(&[Step::Drop]);
    quietly("a poll with another waker", || replaced.poll());
    quietly("the drop of a future", || drop(dropped));
    // A second panic here would end the process.
    let unwinds = catch_unwind(AssertUnwindSafe(move || {
        let _dropped_by_the_unwind = unwound;
        panic!("the only panic");
    }));
    let payload = unwinds.expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the only panic"));
    quietly("an event", || place.fire());
    first.ends();
    replaced.ends();
    last.ends();
    quietly("a future that is ready", || drop(ended));
    quietly("the end of the place", || drop(place));
    none_is_left(&hostile, waker);

    // The place ends before those that wait.
    let place = make();
    let waker = hostile.waker();
    let mut waits = [place.wait(), place.wait()];
    for wait in &mut waits {
        assert!(poll(wait, &waker).is_pending());
    }
    hostile.panics_on(&ENDS);
    quietly("the end of the place", || drop(place));
    quietly("a future whose place has ended", || drop(waits));
    none_is_left(&hostile, waker);
}

/// What a waker that calls back does with the future that it was shown by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Polled,
    Dropped,
}

/// A step of a waker uses the place in every way, and nothing hangs, panics or goes deaf.
fn calls_back<P: Place>(make: impl Fn() -> P) {
    for steps in [&[Step::Clone][..], &WAKES, &[Step::Drop]] {
        for own_is in [Own::Polled, Own::Dropped] {
            let hostile = Hostile::default();
            let case = Rc::new(Case::of(make(), own_is));
            let waker = hostile.waker();
            let first = Waiting::of(case.place.wait());
            *case.other.borrow_mut() = Some(case.polled_with(&waker));
            hostile.on(
                steps,
                here({
                    let case = Rc::clone(&case);
                    move || case.act()
                }),
            );
            let mut own = case.place.wait();
            let is_over = poll(&mut own, &waker).is_ready();
            *case.own.borrow_mut() = (!is_over).then_some(own);
            let last = Waiting::of(case.place.wait());
            if steps == [Step::Drop] {
                // Another waker takes the place of this one.
                case.poll_own();
            }
            case.place.fire();
            assert!(case.has_acted.get(), "{steps:?}");
            // Waits that began within the first event.
            case.place.fire();
            first.ends();
            last.ends();
            case.kept.take().into_iter().for_each(Waiting::ends);
            if let Some(mut own) = case.own.take() {
                assert!(poll(&mut own, Waker::noop()).is_ready(), "{steps:?}, {own_is:?}");
            }
            forget_here();
            drop(case);
            none_is_left(&hostile, waker);
        }
    }
}

struct Case<P: Place> {
    place: P,
    own_is: Own,
    /// The future whose waker acts.
    own: RefCell<Option<P::Wait>>,
    /// Another one with a waker of the same task.
    other: RefCell<Option<P::Wait>>,
    kept: RefCell<Vec<Waiting<P::Wait>>>,
    has_acted: Cell<bool>,
}

impl<P: Place> Case<P> {
    fn of(place: P, own_is: Own) -> Self {
        let (own, other, kept) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { place, own_is, own, other, kept, has_acted: Cell::new(false) }
    }

    fn polled_with(&self, waker: &Waker) -> P::Wait {
        let mut wait = self.place.wait();
        assert!(poll(&mut wait, waker).is_pending());
        wait
    }

    fn act(&self) {
        if self.has_acted.replace(true) {
            return;
        }
        let began = Waiting::of(self.place.wait());
        drop(Waiting::of(self.place.wait()));
        let other = self.other.take();
        drop(other);
        match self.own_is {
            Own::Polled => self.poll_own(),
            Own::Dropped => {
                let own = self.own.try_borrow_mut().ok().and_then(|mut own| own.take());
                drop(own);
            }
        }
        self.place.fire();
        let late = Waiting::of(self.place.wait());
        self.kept.borrow_mut().extend([began, late]);
    }

    /// Polls the future whose waker acts, unless it is being polled.
    fn poll_own(&self) {
        let Ok(mut own) = self.own.try_borrow_mut() else { return };
        let is_over = own.as_mut().is_some_and(|own| poll(own, Waker::noop()).is_ready());
        let ended = if is_over { own.take() } else { None };
        drop(own);
        drop(ended);
    }
}
