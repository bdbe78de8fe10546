//! The drainer set: how many drainers are up, and when another has to be fetched (`README.md`).

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicU32, AtomicU64, Mutex, Ordering};

/// Drainers of one pool, between two changes of pools. Two pools take turns, and the numbers come
/// around again (Q6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u8);

/// As many as four bits tell apart. Under the model checker two, so that each comes around at once.
const GENERATIONS: u8 = if cfg!(all(test, loom_model)) { 2 } else { 16 };

impl Generation {
    #[cfg(test)]
    pub(crate) const FIRST: Self = Self(0);

    /// Whether its drainers run on the pool that is used first.
    pub(crate) fn is_of_first_pool(self) -> bool {
        self.0.is_multiple_of(2)
    }

    fn next(self) -> Self {
        Self((self.0 + 1) % GENERATIONS)
    }
}

/// A word with these counts, from the lowest bits up: drainers that search (16 bits), drainers that
/// are up (16), and jobs that wait (28). The highest four bits are the current generation.
#[derive(Debug)]
#[repr(C)]
pub(super) struct DrainerSet {
    word: AtomicU64,
    /// The largest number of drainers that may be up; 0 only for a pool that has no thread.
    limit: AtomicU32,
    /// In a block of its own, since calls do not use it.
    changes: Box<Changes>,
}

#[derive(Debug)]
struct Changes {
    /// Held by the only thread that changes the generation.
    lock: Mutex<()>,
    /// Drainers of each generation that are superseded and have not left.
    superseded: [AtomicU32; GENERATIONS as usize],
}

const SEARCHING: u64 = 1;
const UP: u64 = 1 << 16;
const WAITING: u64 = 1 << 32;
const GENERATION: u64 = 1 << 60;
const MOST_WAITING: usize = (1 << 28) - 1;

impl DrainerSet {
    pub(super) fn new(limit: usize) -> Self {
        let superseded = std::array::from_fn(|_| AtomicU32::new(0));
        let changes = Box::new(Changes { lock: Mutex::new(()), superseded });
        Self { word: AtomicU64::new(0), limit: AtomicU32::new(capped(limit)), changes }
    }

    pub(super) fn waiting(&self) -> usize {
        waiting(self.word.load(Ordering::Relaxed))
    }

    /// How many drainers are about to look into the queue.
    pub(super) fn searching(&self) -> usize {
        searching(self.word.load(Ordering::Relaxed)) as usize
    }

    /// How many drainers of the current generation are up.
    #[cfg(all(test, loom_model))]
    pub(super) fn up(&self) -> u32 {
        up(self.word.load(Ordering::Relaxed))
    }

    /// How many drainers may be up.
    #[cfg(feature = "dashboard")]
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed) as usize
    }

    /// Counts in a job that is about to be pushed. `None` if `limit` jobs or more wait already.
    pub(super) fn submit(&self, limit: usize) -> Option<Fetch> {
        let limit = limit.min(MOST_WAITING);
        self.step(|word| (waiting(word) < limit).then(|| word + WAITING))
    }

    /// Counts a job as started. If the drainer that took it was searching, it stops searching.
    pub(super) fn start(&self, searched_in: Option<Generation>) -> Fetch {
        if let Some(own) = searched_in {
            return self.always(|word| word - WAITING - if_current(word, own, SEARCHING));
        }
        self.word.fetch_sub(WAITING, Ordering::Relaxed);
        Fetch::None
    }

    pub(super) fn cancel(&self) {
        self.word.fetch_sub(WAITING, Ordering::Relaxed);
    }

    /// A drainer that is up begins to search. False if it is superseded.
    #[must_use]
    pub(super) fn search(&self, own: Generation) -> bool {
        self.change_if(|word| is_current(word, own).then(|| word + SEARCHING)).is_ok()
    }

    /// A drainer that searches stops, without having found a job.
    pub(super) fn pause_search(&self, own: Generation) -> Fetch {
        self.always(|word| word - if_current(word, own, SEARCHING))
    }

    /// A drainer that searches retires, unless a job waits (Q4). True if it has left.
    pub(super) fn retire(&self, own: Generation) -> bool {
        let retired =
            |word| (is_current(word, own) && waiting(word) == 0).then(|| word - UP - SEARCHING);
        self.change_if(retired).map_or_else(|word| self.leaves_as_superseded(word, own), |_| true)
    }

    /// A drainer that does not search retires, even if jobs wait.
    pub(super) fn retire_early(&self, own: Generation) -> Fetch {
        let mut counted = 0;
        let fetch = self.always(|word| {
            counted = if_current(word, own, UP);
            word - counted
        });
        if counted == 0 {
            self.leave_superseded(own);
        }
        fetch
    }

    /// Called before a drainer takes a job. True if it has left: it is superseded, or there are
    /// more drainers than there may be.
    pub(super) fn leaves(&self, own: Generation, is_searching: bool) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        if is_current(word, own) && up(word) <= limit {
            return false;
        }
        let counted = UP + if is_searching { SEARCHING } else { 0 };
        let left = |word| (is_current(word, own) && up(word) > limit).then(|| word - counted);
        self.change_if(left).map_or_else(|word| self.leaves_as_superseded(word, own), |_| true)
    }

    /// Counts a drainer out that was counted in and will not come.
    pub(super) fn count_out(&self, own: Generation) {
        let counted_out = |word| is_current(word, own).then(|| word - UP - SEARCHING);
        if self.change_if(counted_out).is_err() {
            self.leave_superseded(own);
        }
    }

    /// Changes how many drainers may be up. The caller then fetches drainers with
    /// [`fetch_more`](Self::fetch_more), now and again later: a step that has read the old limit may
    /// come after that.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(capped(limit).max(1), Ordering::Relaxed);
    }

    /// Counts one more drainer in, if more jobs wait than drainers search.
    pub(super) fn fetch_more(&self) -> Fetch {
        self.always(|word| word)
    }

    /// Begins the next generation (Q6), and returns it with the number of drainers that the caller
    /// has to fetch. `None` while a drainer has not left that had the same number before.
    pub(super) fn supersede(&self) -> Option<(Generation, u32)> {
        let Changes { lock, superseded } = &*self.changes;
        let _lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let own = generation(self.word.load(Ordering::Relaxed));
        let next = own.next();
        if superseded[usize::from(next.0)].load(Ordering::Relaxed) > 0 {
            return None;
        }
        let limit = self.limit.load(Ordering::Relaxed);
        let mut fetched = 0;
        let changed = self.change_if(|word| {
            fetched = limit.min(u32::try_from(waiting(word)).unwrap_or(u32::MAX));
            let jobs = word % GENERATION - word % WAITING;
            Some(u64::from(next.0) * GENERATION + jobs + u64::from(fetched) * (UP + SEARCHING))
        });
        let (Ok(before) | Err(before)) = changed;
        superseded[usize::from(own.0)].fetch_add(up(before), Ordering::Relaxed);
        Some((next, fetched))
    }

    fn leaves_as_superseded(&self, word: u64, own: Generation) -> bool {
        let is_superseded = !is_current(word, own);
        if is_superseded {
            self.leave_superseded(own);
        }
        is_superseded
    }

    fn leave_superseded(&self, own: Generation) {
        // Relaxed: the order of the word's steps is enough (Q6).
        self.changes.superseded[usize::from(own.0)].fetch_sub(1, Ordering::Relaxed);
    }

    fn always(&self, mut change: impl FnMut(u64) -> u64) -> Fetch {
        self.step(|word| Some(change(word))).unwrap_or(Fetch::None)
    }

    /// Changes the word, and counts a drainer in if more jobs then wait than drainers search (Q5).
    /// `None` if `change` refuses.
    fn step(&self, mut change: impl FnMut(u64) -> Option<u64>) -> Option<Fetch> {
        let limit = self.limit.load(Ordering::Relaxed);
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let mut next = change(word)?;
            let fetch = waiting(next) > searching(next) as usize && up(next) < limit;
            if fetch {
                next += UP + SEARCHING;
            }
            // Relaxed, here and below: all steps on one word are in one order, which is all that
            // Q4 and Q5 need. The queue's inbox publishes the jobs themselves.
            match self.word.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) if fetch => return Some(Fetch::One(generation(next))),
                Ok(_) => return Some(Fetch::None),
                Err(now) => word = now,
            }
        }
    }

    /// Changes the word without fetching; the word before, as `Err` if `change` refuses.
    fn change_if(&self, change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
    }
}

/// Whether the step counted one more drainer in, which now has to be fetched from the pool of this
/// generation.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    One(Generation),
    None,
}

fn capped(limit: usize) -> u32 {
    // A pool never has as many threads as 16 bits can count.
    u16::try_from(limit).unwrap_or(u16::MAX).into()
}

fn generation(word: u64) -> Generation {
    Generation((word / GENERATION) as u8)
}

fn is_current(word: u64, own: Generation) -> bool {
    generation(word) == own
}

/// `count` for a drainer of the current generation, and nothing for a superseded one.
fn if_current(word: u64, own: Generation, count: u64) -> u64 {
    if is_current(word, own) { count } else { 0 }
}

fn waiting(word: u64) -> usize {
    (word % GENERATION / WAITING) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "only these 16 bits are wanted")]
fn up(word: u64) -> u32 {
    (word / UP) as u32 & 0xFFFF
}

#[expect(clippy::cast_possible_truncation, reason = "only these 16 bits are wanted")]
fn searching(word: u64) -> u32 {
    word as u32 & 0xFFFF
}
