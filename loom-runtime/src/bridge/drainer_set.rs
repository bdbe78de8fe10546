//! The drainer set: how many drainers are up, and when another has to be fetched (`README.md`).

use crate::sync::modelled::{AtomicU64, Ordering};

/// The counts in one word, from the lowest bits up: drainers that search (16 bits), drainers that
/// are up (16), and jobs that wait (32).
#[derive(Debug)]
#[repr(C)]
pub(super) struct DrainerSet {
    word: AtomicU64,
    /// The largest number of drainers that may be up.
    size: u16,
}

const SEARCHING: u64 = 1;
const UP: u64 = 1 << 16;
const WAITING: u64 = 1 << 32;

/// Whether the step counted one more drainer in, which now has to be fetched.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    One,
    None,
}

impl DrainerSet {
    pub(super) fn new(size: usize) -> Self {
        // A pool never has as many threads as 16 bits can count.
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

    /// Counts in a job that is about to be pushed. `None` if `limit` jobs or more wait already.
    pub(super) fn submit(&self, limit: usize) -> Option<Fetch> {
        self.step(|word| (waiting(word) < limit).then(|| word + WAITING))
    }

    /// Counts a job as started. If the drainer that took it was searching, it stops searching.
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

    /// A drainer that searches stops, without having found a job.
    pub(super) fn pause_search(&self) -> Fetch {
        self.always(|word| word - SEARCHING)
    }

    /// A drainer that searches retires, unless a job waits (Q4). True if it has retired.
    pub(super) fn retire(&self) -> bool {
        let retired = |word| (waiting(word) == 0).then(|| word - UP - SEARCHING);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, retired).is_ok()
    }

    /// A drainer that does not search retires, even if jobs wait.
    pub(super) fn retire_early(&self) -> Fetch {
        self.always(|word| word - UP)
    }

    /// Counts a drainer out that was counted in and will not come.
    pub(super) fn count_out(&self) {
        self.word.fetch_sub(UP + SEARCHING, Ordering::Relaxed);
    }

    fn always(&self, change: impl Fn(u64) -> u64) -> Fetch {
        self.step(|word| Some(change(word))).unwrap_or(Fetch::None)
    }

    /// Changes the word, and counts a drainer in if more jobs then wait than drainers search (Q5).
    /// `None` if `change` refuses.
    fn step(&self, change: impl Fn(u64) -> Option<u64>) -> Option<Fetch> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let mut next = change(word)?;
            let fetch = waiting(next) > usize::from(searching(next)) && up(next) < self.size;
            if fetch {
                next += UP + SEARCHING;
            }
            // Relaxed, here and above: all steps on one word are in one order, which is all that
            // Q4 and Q5 need. The queue's inbox publishes the jobs themselves.
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

#[expect(clippy::cast_possible_truncation, reason = "only these 16 bits are wanted")]
fn up(word: u64) -> u16 {
    (word / UP) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "only these 16 bits are wanted")]
fn searching(word: u64) -> u16 {
    word as u16
}
