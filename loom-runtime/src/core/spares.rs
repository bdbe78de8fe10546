//! Spares: threads that take the places of compute threads that wait.
//!
//! A compute thread that waits lends its place, and one more drainer may be up
//! (`bridge/README.md`). There is a spare for each place that is lent, so that the calls that wait
//! for a thread get one. A spare without work is parked, and ends after a while.

use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How long a spare stays parked before it ends.
const IDLE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Spares {
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Places that are lent.
    lent: usize,
    /// Spares, those included whose threads start.
    all: usize,
    /// Those that are parked, or start.
    parked: usize,
    /// How many of the parked ones have been fetched and have not gone to work.
    fetched: usize,
    /// How many were started so far.
    started: usize,
    has_ended: bool,
}

/// What a thread that lends its place has to do first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lend {
    /// There are enough spares.
    Ready,
    /// Start one more, with this number; then call [`Spares::could_not_start`] if that failed.
    Start(usize),
    /// As many places as there may be are lent.
    Full,
}

impl Spares {
    /// A thread lends its place.
    pub(crate) fn lend(&self, most: usize) -> Lend {
        let mut state = self.lock();
        if state.lent >= most {
            return Lend::Full;
        }
        state.lent += 1;
        if state.all >= state.lent {
            return Lend::Ready;
        }
        Lend::Start(state.count_new())
    }

    /// Neither is the place lent, nor is there one more spare.
    pub(crate) fn could_not_start(&self) {
        self.lock().lent -= 1;
        self.is_not_replaced();
    }

    /// The thread goes on.
    pub(crate) fn give_back(&self) {
        self.lock().lent -= 1;
    }

    /// Fetches a parked spare. False if there is none, or if each lent place has a spare at work: the
    /// place is one of the pool's then.
    pub(crate) fn fetch(&self) -> bool {
        let mut state = self.lock();
        let has_place = state.at_work() + state.fetched < state.lent;
        let is_there = has_place && state.parked > state.fetched && !state.has_ended;
        if is_there {
            state.fetched += 1;
            drop(state);
            self.has_changed.notify_one();
        }
        is_there
    }

    /// Parks a spare until it is fetched. False if it has to end.
    pub(crate) fn park(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.fetched > 0 {
                state.fetched -= 1;
                state.parked -= 1;
                return true;
            }
            if state.has_ended {
                state.parked -= 1;
                state.all -= 1;
                return false;
            }
            let waited = self.has_changed.wait_timeout(state, IDLE);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now;
            // It may have been fetched just as the time was over.
            if timeout.timed_out() && state.fetched == 0 && state.all > state.lent {
                state.parked -= 1;
                state.all -= 1;
                return false;
            }
        }
    }

    /// A spare has no work any more, and is about to park.
    pub(crate) fn returns(&self) {
        self.lock().parked += 1;
    }

    /// A spare that was fetched ends, and another one takes its place. Returns the number of that
    /// one, which is fetched already.
    pub(crate) fn replace(&self) -> usize {
        let mut state = self.lock();
        state.all -= 1;
        state.fetched += 1;
        state.count_new()
    }

    /// No other one takes the place of a spare that ends.
    pub(crate) fn is_not_replaced(&self) {
        let mut state = self.lock();
        state.all -= 1;
        state.parked -= 1;
        // Another thread may have fetched the spare that was counted here. If one is parked, it goes
        // to work in its place.
        state.fetched = state.fetched.min(state.parked);
        drop(state);
        self.has_changed.notify_one();
    }

    /// More spares are at work than places are lent.
    pub(crate) fn has_too_many(&self) -> bool {
        let state = self.lock();
        state.at_work() > state.lent
    }

    /// How many spares there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().all
    }

    /// Lets every spare end that has no work.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
        self.has_changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many spares run calls, those included that wait in one.
    fn at_work(&self) -> usize {
        self.all - self.parked
    }

    fn count_new(&mut self) -> usize {
        self.all += 1;
        self.parked += 1;
        self.started += 1;
        self.started - 1
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_spare_for_each_place_and_no_more_at_work() {
        let spares = Spares::default();
        assert!(!spares.fetch(), "no place is lent");
        assert_eq!(spares.lend(2), Lend::Start(0));
        assert_eq!(spares.lend(2), Lend::Start(1));
        assert_eq!(spares.lend(2), Lend::Full);
        assert_eq!(spares.count(), 2);
        assert!(spares.fetch() && spares.fetch(), "they start");
        assert!(!spares.fetch(), "all are fetched");
        assert!(spares.park() && spares.park());
        assert!(!spares.has_too_many());
        spares.give_back();
        assert!(spares.has_too_many());
        spares.returns();
        assert!(!spares.has_too_many());
        assert!(!spares.fetch(), "the lent place has a spare at work");
        assert_eq!(spares.lend(2), Lend::Ready, "one is parked");
        assert!(spares.fetch());
        spares.end();
        assert!(spares.park(), "it was fetched before the end");
        spares.returns();
        assert!(!spares.park());
        assert_eq!(spares.count(), 1);
    }

    #[test]
    fn a_spare_that_does_not_start_is_not_counted() {
        let spares = Spares::default();
        assert_eq!(spares.lend(1), Lend::Start(0));
        assert!(spares.fetch(), "another thread fetches it before it has failed to start");
        spares.could_not_start();
        assert!(!spares.fetch());
        assert_eq!(spares.count(), 0);
        assert_eq!(spares.lend(1), Lend::Start(1), "the place was not lent");
    }
}
