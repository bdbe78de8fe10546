//! The drainer set: how many drainers are up, and when another has to be fetched (`README.md`).

use crate::sync::PoisonError;
use crate::sync::modelled::{AtomicU32, AtomicU64, Mutex, Ordering, fence};

/// Drainers of one pool, between two changes of pools. Two pools take turns, and the numbers come
/// around again (Q6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u8);

/// As many as four bits tell apart. Under the model checker two, so that each comes around at once.
const GENERATIONS: u8 = if cfg!(all(test, loom_model)) { 2 } else { 16 };

impl Generation {
    #[cfg(all(test, not(loom_model)))]
    pub(crate) const FIRST: Self = Self(0);

    /// Whether its drainers run on the pool that is used first.
    pub(crate) fn is_of_first_pool(self) -> bool {
        self.0.is_multiple_of(2)
    }

    fn next(self) -> Self {
        Self((self.0 + 1) % GENERATIONS)
    }
}

/// A word with these counts, from the lowest bits up: drainers that search (11 bits), drainers that
/// are up (11), places that are open (11), and jobs that wait (27). The highest four bits are the
/// current generation.
#[derive(Debug)]
#[repr(C)]
pub(super) struct DrainerSet {
    word: AtomicU64,
    /// The largest number of drainers that may be up; 0 only for a pool that has no thread.
    limit: AtomicU32,
    /// How many threads have lent their place to a spare: so many more drainers may be up.
    lent: AtomicU32,
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
const UP: u64 = 1 << 11;
const OPEN: u64 = 1 << 22;
const WAITING: u64 = 1 << 33;
const GENERATION: u64 = 1 << 60;
/// A place that is open counts as a drainer that is up and searches.
const PLACE: u64 = OPEN + UP + SEARCHING;
const MOST_UP: u32 = (1 << 11) - 1;
const MOST_WAITING: usize = (1 << 27) - 1;
/// More threads of one pool run no calls: then there is always a place for each spare.
const HIGHEST_LIMIT: u32 = 1023;

impl DrainerSet {
    pub(super) fn new(limit: usize) -> Self {
        let superseded = std::array::from_fn(|_| AtomicU32::new(0));
        let changes = Box::new(Changes { lock: Mutex::new(()), superseded });
        let limit = AtomicU32::new(capped(limit));
        Self { word: AtomicU64::new(0), limit, lent: AtomicU32::new(0), changes }
    }

    pub(super) fn waiting(&self) -> usize {
        waiting(self.word.load(Ordering::Relaxed))
    }

    /// How many jobs wait for each drainer that is up.
    pub(super) fn waiting_for_each(&self) -> usize {
        let word = self.word.load(Ordering::Relaxed);
        waiting(word) / up(word).max(1) as usize
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

    /// How many drainers may be up, those of spares aside.
    #[cfg(feature = "dashboard")]
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed) as usize
    }

    /// The generation that is current.
    pub(super) fn generation(&self) -> Generation {
        generation(self.word.load(Ordering::Relaxed))
    }

    /// The generation that has a place open, for which no thread has come.
    pub(super) fn open_place(&self) -> Option<Generation> {
        let word = self.word.load(Ordering::Relaxed);
        (open(word) > 0).then(|| generation(word))
    }

    /// A thread has come that belongs to one of the two pools. It takes an open place, and is from
    /// now on a drainer of the generation that is returned; it searches.
    pub(super) fn arrive(&self, is_of_first_pool: bool) -> Option<Generation> {
        self.take_place(|generation| generation.is_of_first_pool() == is_of_first_pool)
    }

    /// As [`arrive`](Self::arrive), for a thread of neither pool.
    pub(super) fn take_place(&self, may: impl Fn(Generation) -> bool) -> Option<Generation> {
        let taken = |word| (open(word) > 0 && may(generation(word))).then(|| word - OPEN);
        self.change_if(taken).ok().map(generation)
    }

    /// A thread that waits lends its place: one more drainer may be up. Returns the generation that
    /// has a place open, if any: the caller then has to fetch a spare.
    pub(super) fn lend(&self) -> Option<Generation> {
        self.lent.fetch_add(1, Ordering::Relaxed);
        // Release: with the acquires of `lent` and `fetch_if_lent`. A step on the word follows on
        // either side, so this thread sees the job that waits and the place that is open, or the
        // submitter sees that a place is lent (Q8).
        fence(Ordering::Release);
        match self.fetch_more() {
            Fetch::One(generation) => Some(generation),
            Fetch::None => self.open_place(),
        }
    }

    /// The thread goes on.
    pub(super) fn give_back(&self) {
        self.lent.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many threads have lent their place. For a thread that has opened a place.
    pub(super) fn lent(&self) -> usize {
        // Acquire: with the release of `lend`.
        fence(Ordering::Acquire);
        self.lent.load(Ordering::Relaxed) as usize
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

    /// A drainer that searches retires, unless a job waits (Q4). True if it has left. It closes the
    /// open places, which nobody needs any more.
    pub(super) fn retire(&self, own: Generation) -> bool {
        let closed = |word| u64::from(open(word)) * PLACE;
        let retired = |word| {
            (is_current(word, own) && waiting(word) == 0)
                .then(|| word - UP - SEARCHING - closed(word))
        };
        self.change_if(retired).map_or_else(|word| self.leaves_as_superseded(word, own), |_| true)
    }

    /// A drainer leaves, even if jobs wait.
    pub(super) fn leave_early(&self, own: Generation, is_searching: bool) -> Fetch {
        let mut counted = 0;
        let fetch = self.always(|word| {
            counted = if_current(word, own, counted_as(is_searching));
            word - counted
        });
        if counted == 0 {
            self.leave_superseded(own);
        }
        fetch
    }

    /// Called before a drainer takes a job. `Some` if it has left: it is superseded, or there are
    /// more drainers than there may be. In the latter case it closes a place that is open, if there is
    /// one, and stays: the thread for that place may be within other work for long (Q7).
    pub(super) fn leaves(&self, own: Generation, is_searching: bool) -> Option<Fetch> {
        let counted = counted_as(is_searching);
        loop {
            let most = self.most_up();
            let word = self.word.load(Ordering::Relaxed);
            if is_current(word, own) && up(word) <= most {
                return None;
            }
            let one_less = |word| word - if open(word) > 0 { PLACE } else { counted };
            let is_one_too_many = |word| is_current(word, own) && up(word) > most;
            match self.change_if(|word| is_one_too_many(word).then(|| one_less(word))) {
                Ok(before) if open(before) > 0 => {}
                // A place may have been lent meanwhile.
                Ok(_) => return Some(self.fetch_if_lent(most)),
                Err(word) => {
                    return self.leaves_as_superseded(word, own).then_some(Fetch::None);
                }
            }
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

    /// Opens a place although a drainer may search: that one is held up.
    pub(super) fn open_despite_search(&self) {
        let most = self.most_up();
        let _none_if_enough_are_up = self.change_if(|word| {
            (waiting(word) > 0 && open(word) == 0 && up(word) < most).then(|| word + PLACE)
        });
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
        let most = self.most_up();
        let mut fetched = 0;
        let changed = self.change_if(|word| {
            fetched = most.min(u32::try_from(waiting(word)).unwrap_or(u32::MAX));
            let jobs = word % GENERATION - word % WAITING;
            Some(u64::from(next.0) * GENERATION + jobs + u64::from(fetched) * PLACE)
        });
        let (Ok(before) | Err(before)) = changed;
        let arrived = up(before) - open(before);
        superseded[usize::from(own.0)].fetch_add(arrived, Ordering::Relaxed);
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
        let most = self.most_up();
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let mut next = change(word)?;
            let fetch = waiting(next) > searching(next) as usize && up(next) < most;
            if fetch {
                next += PLACE;
            }
            // Relaxed, here and below: all steps on one word are in one order, which is all that
            // Q4 and Q5 need. The queue's inbox publishes the jobs themselves.
            match self.word.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) if fetch => return Some(Fetch::One(generation(next))),
                Ok(_) if waiting(next) > searching(next) as usize => {
                    return Some(self.fetch_if_lent(most));
                }
                Ok(_) => return Some(Fetch::None),
                Err(now) => word = now,
            }
        }
    }

    /// After a step that left jobs waiting, because no more than `most` drainers might be up: opens
    /// a place if one has been lent meanwhile (Q8).
    fn fetch_if_lent(&self, most: u32) -> Fetch {
        // Acquire: with the release of `lend`.
        fence(Ordering::Acquire);
        if self.most_up() > most { self.fetch_more() } else { Fetch::None }
    }

    fn most_up(&self) -> u32 {
        let [limit, lent] = [&self.limit, &self.lent].map(|count| count.load(Ordering::Relaxed));
        (limit + lent).min(MOST_UP)
    }

    /// Changes the word without fetching; the word before, as `Err` if `change` refuses.
    fn change_if(&self, change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
    }
}

/// Whether the step opened a place, for which a thread now has to be fetched from the pool of this
/// generation.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    One(Generation),
    None,
}

fn capped(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX).min(HIGHEST_LIMIT)
}

/// What the word counts for one drainer.
fn counted_as(is_searching: bool) -> u64 {
    UP + if is_searching { SEARCHING } else { 0 }
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

fn open(word: u64) -> u32 {
    bits(word, OPEN)
}

fn up(word: u64) -> u32 {
    bits(word, UP)
}

fn searching(word: u64) -> u32 {
    bits(word, SEARCHING)
}

/// The count of eleven bits whose unit is this.
#[expect(clippy::cast_possible_truncation, reason = "only these 11 bits are wanted")]
fn bits(word: u64, unit: u64) -> u32 {
    (word / unit) as u32 & MOST_UP
}
