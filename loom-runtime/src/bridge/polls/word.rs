//! The word of a cell: who owns the turn, and how many references there are (`README.md`).

use crate::scheduler::Wake;
use crate::sync::modelled::{AtomicUsize, Ordering};

use super::super::state::Cell as Place;

const PHASE: usize = 0b111;
const TURN: usize = 0;
const OWNED: usize = 1;
const WOKEN: usize = 2;
const IDLE: usize = 3;
const QUEUED: usize = 4;
const DONE: usize = 5;
const ENDED: usize = 6;

const WAKERS: usize = Place::A.flag() | Place::B.flag();
const AWAITED: usize = 1 << 5;
const ORPHANED: usize = 1 << 6;
const UNWANTED: usize = 1 << 7;
/// Three bits from here on hold the kind of the wake that the next poll answers.
const WAKE: u32 = 8;
const WAKE_BITS: usize = 0b111;
/// The count of references takes the rest.
const ONE: usize = 1 << 11;
/// So many references are a leak of wakers in a loop: the count must not overflow.
const MOST: usize = usize::MAX / 2;

#[derive(Debug)]
pub(super) struct Word(AtomicUsize);

/// How a turn that the thread owns goes on after a poll that was pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nobody owns the turn any more.
    Idle,
    /// The future was woken meanwhile: the thread still owns the turn.
    Again,
    /// The handle has given the future up: the thread still owns the turn, and drops the future.
    Unwanted,
}

/// How the owner of a turn gets on that passes the turn to the handle's task.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ToTask {
    Passed,
    /// A waker is shown, which the owner takes, before it tries again.
    WithWaker(Place),
    /// No task waits: the poll goes to the queue.
    Detached,
    Unwanted,
}

/// How the owner of a turn gets on that publishes the outcome.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Publish {
    Done,
    WithWaker(Place),
    /// The handle is gone: the owner drops the outcome.
    Orphaned,
}

/// What the handle has to do that is dropped or detached.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Another thread has the future, or the future has ended.
    Nothing,
    /// As `Nothing`; a poll may be under way, and is no longer wanted.
    Polled,
    /// The handle owns the future, and drops it.
    Future,
    /// As `Future`; the job is in the queue.
    Queued,
    /// The handle owns the turn, and places the poll that answers this wake.
    Turn(Wake),
    /// The handle owns the outcome, and drops it.
    Outcome,
}

/// What a handle finds that is polled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The handle owns the turn, for a poll that answers this kind of wake.
    Turn(Wake),
    /// The handle owns the outcome.
    Outcome,
    /// Another thread has the turn, or the future was not woken.
    Other,
    Ended,
}

fn wake_of(word: usize) -> Wake {
    Wake::ALL[(word >> WAKE & WAKE_BITS) % Wake::ALL.len()]
}

fn with_phase(word: usize, phase: usize) -> usize {
    word & !PHASE | phase
}

fn with_wake(word: usize, wake: Wake) -> usize {
    word & !(WAKE_BITS << WAKE) | (wake as usize) << WAKE
}

fn shown(word: usize) -> Option<Place> {
    Place::shown(word)
}

impl Word {
    /// The turn is the handle's, which has the only reference.
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(ONE | TURN))
    }

    /// Handle: the next poll answers this wake. Nobody else knows the cell.
    pub(super) fn answer(&self, wake: Wake) {
        // Relaxed: what passes the turn on is a release.
        self.0.store(with_wake(ONE | TURN, wake), Ordering::Relaxed);
    }

    /// Handle: owns the turn, which is its own, although no task has polled it.
    pub(super) fn begin(&self) -> Option<Wake> {
        self.step(|word| match word & PHASE {
            TURN => Ok((with_phase(word, OWNED), Some(wake_of(word)))),
            _ => Err(None),
        })
    }

    fn swap(&self, from: usize, to: usize) -> Result<(), usize> {
        // Release: what this thread did in its turn. Acquire: what the owner before did (C1), and what
        // wakes have published (C2). Relaxed on failure: what a step finds that it does not take is a
        // phase, a flag or nothing.
        let swapped = self.0.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Relaxed);
        swapped.map(|_| ())
    }

    /// Takes steps until one succeeds: `next` says where a word goes, or why it stays.
    fn step<R>(&self, mut next: impl FnMut(usize) -> Result<(usize, R), R>) -> R {
        // Relaxed: as for the failure of a step.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            match next(word) {
                Err(stays) => return stays,
                Ok((to, then)) => match self.swap(word, to) {
                    Ok(()) => return then,
                    Err(now) => word = now,
                },
            }
        }
    }

    /// Handle: what there is to do. The first poll of a handle marks it as awaited.
    pub(super) fn found(&self) -> Found {
        self.step(|word| match word & PHASE {
            TURN => Ok((with_phase(word, OWNED) | AWAITED, Found::Turn(wake_of(word)))),
            DONE => Ok((with_phase(word, ENDED), Found::Outcome)),
            ENDED => Err(Found::Ended),
            _ if word & AWAITED != 0 => Err(Found::Other),
            _ => Ok((word | AWAITED, Found::Other)),
        })
    }

    /// Waker: `Some` if the calling thread owns the turn from now on, for a poll that answers this wake.
    pub(super) fn wake(&self, wake: impl Fn() -> Wake) -> Option<Wake> {
        self.step(|word| match word & PHASE {
            IDLE => {
                let wake = wake();
                Ok((with_wake(with_phase(word, OWNED), wake), Some(wake)))
            }
            OWNED => Ok((with_phase(word, WOKEN), None)),
            // The poll that is to come has to see what the waking thread did before (C2).
            TURN | QUEUED | WOKEN => Ok((word, None)),
            _ => Err(None),
        })
    }

    /// Drainer: owns the turn from now on. `None` if the future was given up.
    pub(super) fn start(&self) -> Option<Wake> {
        self.step(|word| match word & PHASE {
            QUEUED => Ok((with_phase(word, OWNED), Some(wake_of(word)))),
            _ => Err(None),
        })
    }

    /// Owner: the poll was pending. The handle shows its waker in this place.
    pub(super) fn rest(&self, waker: Option<Place>) -> Rest {
        let flag = waker.map_or(0, Place::flag);
        self.step(|word| match word & PHASE {
            _ if word & UNWANTED != 0 => Err(Rest::Unwanted),
            WOKEN => {
                let owned = with_wake(with_phase(word, OWNED), Wake::Itself);
                Ok((owned | flag, Rest::Again))
            }
            _ => Ok((with_phase(word, IDLE) | flag, Rest::Idle)),
        })
    }

    /// Owner: the next poll is a job. False if the future was given up. The job has a reference.
    pub(super) fn to_queue(&self) -> bool {
        self.step(|word| {
            if word & UNWANTED != 0 {
                return Err(false);
            }
            Ok((with_phase(word, QUEUED) + ONE, true))
        })
    }

    /// Owner: the handle's task takes the next poll.
    pub(super) fn to_task(&self) -> ToTask {
        self.step(|word| match shown(word) {
            _ if word & UNWANTED != 0 => Err(ToTask::Unwanted),
            _ if word & AWAITED == 0 => Err(ToTask::Detached),
            Some(place) => Ok((word & !place.flag(), ToTask::WithWaker(place))),
            None => Ok((with_phase(word, TURN), ToTask::Passed)),
        })
    }

    /// Owner: leaves the outcome to the handle.
    pub(super) fn publish(&self) -> Publish {
        self.step(|word| match shown(word) {
            _ if word & ORPHANED != 0 => Err(Publish::Orphaned),
            Some(place) => Ok((word & !place.flag(), Publish::WithWaker(place))),
            None => Ok((with_phase(word, DONE), Publish::Done)),
        })
    }

    /// Owner: nothing is left in the cell.
    pub(super) fn end(&self) {
        self.step(|word| Ok((with_phase(word, ENDED), ())));
    }

    /// Whether the handle's task waits.
    pub(super) fn is_awaited(&self) -> bool {
        // Relaxed: a hint for where the poll goes; `to_task` looks again.
        self.0.load(Ordering::Relaxed) & AWAITED != 0
    }

    /// Owner: whether the handle is gone, and whether it has given the future up.
    pub(super) fn orphaned(&self) -> Option<bool> {
        // Relaxed: the owner has what it touches then, and frees nothing before `release`.
        let word = self.0.load(Ordering::Relaxed);
        (word & ORPHANED != 0).then_some(word & UNWANTED != 0)
    }

    /// Handle: takes back the waker that it showed in this place. False if an owner has taken it, and may
    /// still be reading the place.
    pub(super) fn hide(&self, place: Place) -> bool {
        // Acquire: the other place is free (C4), pairs with the step that cleared the flag.
        self.0.fetch_and(!WAKERS, Ordering::Acquire) & place.flag() != 0
    }

    /// Handle: shows the waker in this place. False if the turn has become the handle's, or the future
    /// is done: then the handle owns the place again.
    pub(super) fn show(&self, place: Place) -> bool {
        self.step(|word| match word & PHASE {
            TURN | DONE | ENDED => Err(false),
            _ => Ok((word | place.flag(), true)),
        })
    }

    /// Handle: is dropped, after it was polled, and gives the future up.
    pub(super) fn give_up(&self) -> Leave {
        let gone = |word: usize| word & !AWAITED | ORPHANED | UNWANTED;
        self.step(|word| match word & PHASE {
            IDLE | TURN => Ok((with_phase(gone(word), ENDED), Leave::Future)),
            QUEUED => Ok((with_phase(gone(word), ENDED), Leave::Queued)),
            DONE => Ok((with_phase(gone(word), ENDED), Leave::Outcome)),
            ENDED => Err(Leave::Nothing),
            _ => Ok((gone(word), Leave::Polled)),
        })
    }

    /// Handle: goes, and the future runs to its end without it.
    pub(super) fn detach(&self) -> Leave {
        let gone = |word: usize| word & !AWAITED | ORPHANED;
        self.step(|word| match word & PHASE {
            TURN => Ok((with_phase(gone(word), OWNED), Leave::Turn(wake_of(word)))),
            DONE => Ok((with_phase(gone(word), ENDED), Leave::Outcome)),
            ENDED => Err(Leave::Nothing),
            _ => Ok((gone(word), Leave::Nothing)),
        })
    }

    /// One more reference.
    pub(super) fn hold(&self) {
        // Relaxed: who has a reference may make another.
        let before = self.0.fetch_add(ONE, Ordering::Relaxed);
        assert!(before < MOST, "wakers of a compute future are leaked without end");
    }

    /// Whether the caller has the only reference: then nobody else makes another.
    pub(super) fn is_last(&self) -> bool {
        // Relaxed: `release` is the step that counts.
        self.0.load(Ordering::Relaxed) < 2 * ONE
    }

    /// One reference less. `Some` for the last one: whether the future is still in the cell.
    pub(super) fn release(&self) -> Option<bool> {
        // AcqRel: what others did with the cell happens before its end (C8).
        let before = self.0.fetch_sub(ONE, Ordering::AcqRel);
        (before < 2 * ONE).then_some(before & PHASE != ENDED)
    }
}
