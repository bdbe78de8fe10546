//! How many drainers are up, and when another has to be fetched (the drainer set, in
//! `README.md`).

use crate::sync::modelled::{AtomicU64, Ordering};

/// One word, from the lowest bits up: drainers that search, drainers that are up, and jobs
/// that wait.
#[derive(Debug)]
#[repr(C)]
pub(super) struct DrainerSet {
    word: AtomicU64,
    /// How many drainers there may be.
    size: u16,
}

const SEARCHING: u64 = 1;
const UP: u64 = 1 << 16;
const WAITING: u64 = 1 << 32;

/// Whether one more drainer was counted in, and has to be fetched.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    One,
    None,
}

impl DrainerSet {
    pub(super) fn new(size: usize) -> Self {
        // There are never so many threads.
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        Self { word: AtomicU64::new(0), size }
    }

    pub(super) fn waiting(&self) -> usize {
        waiting(self.word.load(Ordering::Relaxed))
    }

    /// How many drainers are about to look into the queue.
    pub(super) fn searching(&self) -> usize {
        usize::from(searching(self.word.load(Ordering::Relaxed)))
    }

    /// Counts in a job that is about to be pushed, unless so many wait already.
    pub(super) fn submit(&self, limit: usize) -> Option<Fetch> {
        self.step(|word| (waiting(word) < limit).then(|| word + WAITING))
    }

    /// A drainer takes a job. If it was searching, it is no longer.
    pub(super) fn start(&self, was_searching: bool) -> Fetch {
        if was_searching {
            self.always(|word| word - WAITING - SEARCHING)
        } else {
            self.word.fetch_sub(WAITING, Ordering::Relaxed);
            Fetch::None
        }
    }

    pub(super) fn cancel(&self) {
        self.word.fetch_sub(WAITING, Ordering::Relaxed);
    }

    /// A drainer that is up begins to search.
    pub(super) fn search(&self) {
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
    }

    /// A drainer that searches stops, without having found anything.
    pub(super) fn pause_search(&self) -> Fetch {
        self.always(|word| word - SEARCHING)
    }

    /// A drainer that searches goes, unless something waits (Q4).
    pub(super) fn retire(&self) -> bool {
        let gone = |word| (waiting(word) == 0).then(|| word - UP - SEARCHING);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, gone).is_ok()
    }

    /// A drainer that does not search goes, whatever waits.
    pub(super) fn retire_early(&self) -> Fetch {
        self.always(|word| word - UP)
    }

    /// A drainer that was counted in never came.
    pub(super) fn count_out(&self) {
        self.word.fetch_sub(UP + SEARCHING, Ordering::Relaxed);
    }

    fn always(&self, change: impl Fn(u64) -> u64) -> Fetch {
        self.step(|word| Some(change(word))).unwrap_or(Fetch::None)
    }

    /// Changes the word, and counts a drainer in where more wait than search then (Q5).
    fn step(&self, change: impl Fn(u64) -> Option<u64>) -> Option<Fetch> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let mut next = change(word)?;
            let fetch = waiting(next) > usize::from(searching(next)) && up(next) < self.size;
            if fetch {
                next += UP + SEARCHING;
            }
            // Relaxed, here and above: the steps of one word are in one order, and that is
            // all that Q4 and Q5 need. What is in a job goes with the queue.
            match self.word.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(if fetch { Fetch::One } else { Fetch::None }),
                Err(now) => word = now,
            }
        }
    }
}

fn waiting(word: u64) -> usize {
    (word / WAITING) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "its 16 bits are what is asked for")]
fn up(word: u64) -> u16 {
    (word / UP) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "its 16 bits are what is asked for")]
fn searching(word: u64) -> u16 {
    word as u16
}
