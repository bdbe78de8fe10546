//! The phase of a runtime and the count of its work, in one word. Protocol: `README.md`.

use std::task::{Context, Poll, Waker};

use crate::panics::KeptWaker;
use crate::sync::atomic::AtomicBool;
use crate::sync::modelled::{AtomicUsize, Mutex, Ordering};
use crate::sync::{Arc, PoisonError};

/// The phase is in the low bits, the count above them.
const PHASE: usize = 0b11;
const ONE: usize = 0b100;

const OPEN: usize = 0;
const DRAINING: usize = 1;
const CLOSED: usize = 2;
const GONE: usize = 3;

#[derive(Debug)]
pub(crate) struct Lifecycle {
    word: AtomicUsize,
    /// Boxed, since the word shares a cache line with other words that every call writes.
    rest: Box<Rest>,
}

#[derive(Debug)]
struct Rest {
    waiters: Mutex<Waiters>,
    refuses: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Waiters {
    /// The number that was given out last.
    next: u64,
    waiting: Vec<(u64, KeptWaker)>,
}

/// The number of one waiter on the list; `None` before it registers.
#[derive(Debug, Default)]
pub(crate) struct Waiter(Option<u64>);

impl Default for Lifecycle {
    fn default() -> Self {
        let waiters = Mutex::new(Waiters::default());
        let rest = Rest { waiters, refuses: Arc::default() };
        Self { word: AtomicUsize::new(OPEN), rest: Box::new(rest) }
    }
}

impl Lifecycle {
    /// Admits a piece of work and counts it, or refuses it. The caller calls
    /// [`end_one`](Self::end_one) once for each admission.
    #[must_use]
    pub(crate) fn admit(&self) -> bool {
        // A load first, so that a refused caller does not write the word.
        if !self.accepts_work() {
            return false;
        }
        // Relaxed: the order of the word's steps decides who is admitted.
        let before = self.word.fetch_add(ONE, Ordering::Relaxed);
        let is_admitted = before & PHASE < CLOSED;
        if !is_admitted {
            self.end_one();
        }
        is_admitted
    }

    /// One piece of work has ended.
    pub(crate) fn end_one(&self) {
        // Release: with the acquires of `try_close` and `is_idle` (L3). Every later step on the word
        // continues this release.
        let before = self.word.fetch_sub(ONE, Ordering::Release);
        if before & PHASE != OPEN && before & !PHASE == ONE {
            self.wake_all();
        }
    }

    /// Whether work would be admitted right now.
    pub(crate) fn accepts_work(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PHASE < CLOSED
    }

    /// Whether work is refused, with a short delay. Settled calls read this: they are not counted,
    /// and must not read a word that other threads keep writing.
    pub(crate) fn refusals(&self) -> &Arc<AtomicBool> {
        &self.rest.refuses
    }

    /// Whether the end has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PHASE != OPEN
    }

    /// Whether queued work may no longer start.
    pub(crate) fn is_gone(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PHASE == GONE
    }

    /// How much admitted work has not ended.
    pub(crate) fn count(&self) -> usize {
        self.word.load(Ordering::Relaxed) / ONE
    }

    /// Whether the end has begun and no work is left.
    pub(crate) fn is_idle(&self) -> bool {
        // Acquire: with the release of `end_one` (L3).
        let word = self.word.load(Ordering::Acquire);
        word == DRAINING || is_over(word)
    }

    /// Begins the end.
    pub(crate) fn drain(&self) {
        self.advance(DRAINING);
    }

    /// Refuses all work, and queued work no longer starts.
    pub(crate) fn leave(&self) {
        self.advance(GONE);
        self.refuse();
    }

    fn advance(&self, phase: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & PHASE < phase {
            let next = word & !PHASE | phase;
            // Relaxed: as every step on the word, it continues the releases of `end_one`.
            match self.word.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) if next & !PHASE == 0 => return self.wake_all(),
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Waits until the end has begun and no work is left, then closes.
    pub(crate) fn poll_over(&self, waiter: &mut Waiter, cx: &mut Context<'_>) -> Poll<()> {
        if self.try_close() {
            return Poll::Ready(());
        }
        self.register(waiter, cx.waker());
        // Once more: the last work may have ended before the waker was on the list (L2).
        if self.try_close() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes the waiter off the list, whether or not it saw the end.
    pub(crate) fn forget(&self, waiter: &mut Waiter) {
        let Some(own) = waiter.0.take() else { return };
        let mut waiters = self.rest.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let waker = waiters.waiting.iter().position(|(number, _)| *number == own);
        let waker = waker.map(|at| waiters.waiting.swap_remove(at));
        // A waker is foreign code, so it is dropped outside of the lock.
        drop(waiters);
        drop(waker);
    }

    fn try_close(&self) -> bool {
        // Acquire: with the release of `end_one` (L3).
        match self.word.compare_exchange(DRAINING, CLOSED, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => {
                self.refuse();
                true
            }
            Err(word) => is_over(word),
        }
    }

    fn refuse(&self) {
        self.rest.refuses.store(true, Ordering::Relaxed);
    }

    fn register(&self, waiter: &mut Waiter, waker: &Waker) {
        // Cloned before anything is changed: where that panics, an earlier waker is still on the list.
        let waker = KeptWaker::of(waker);
        let mut waiters = self.rest.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let own = *waiter.0.get_or_insert_with(|| {
            waiters.next += 1;
            waiters.next
        });
        let at = waiters.waiting.iter().position(|(number, _)| *number == own);
        let replaced = at.map(|at| waiters.waiting.swap_remove(at));
        waiters.waiting.push((own, waker));
        drop(waiters);
        drop(replaced);
    }

    fn wake_all(&self) {
        let mut waiters = self.rest.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut waiters.waiting);
        drop(waiters);
        for (_, waker) in waiting {
            waker.wake();
        }
    }
}

fn is_over(word: usize) -> bool {
    // A count above zero in *closed* is an admission that is about to be refused.
    word & PHASE == CLOSED || word == GONE
}
