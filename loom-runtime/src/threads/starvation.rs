//! Whether compute threads that are ready to run get to run.
//!
//! Threads of the idle class run only on a CPU that no thread of normal priority wants. A normal
//! thread that never sleeps starves them, whether it belongs to this process or not.

use std::time::{Duration, Instant};

use crate::topology::ThreadPlacement;
use crate::topology::os::{self, ThreadFiles};

/// A thread that was ready at both ends of the time between two looks, and ran for less than this
/// part of it, counts as starved. The kernel gives an idle-class thread 0.3 % of a CPU that it shares
/// with one normal thread.
const NOTHING: u32 = 100;
/// So does a thread that waited this many times as long as it ran, for half of that time or more.
const WAITED_TIMES: u32 = 4;
/// A thread that ran for this part of the time got its share. Its files are not read then.
const SHARE: u32 = 4;
/// A look reads two files of a thread that ran for less, so at most this many threads of a pool are
/// watched. They stand for the others: threads of normal priority starve all compute threads alike.
const MOST_WATCHED: usize = 8;

/// Threads of one pool that stand for all of them.
#[derive(Debug, Default)]
pub(super) struct WatchedThreads {
    threads: Vec<WatchedThread>,
    /// When they were looked at.
    last: Option<Instant>,
}

#[derive(Debug)]
struct WatchedThread {
    id: u32,
    name: String,
    /// `None` before they are needed.
    files: Option<ThreadFiles>,
    /// How long the thread had run at the last look, by its CPU clock.
    ran: Option<Duration>,
    /// How long it had waited, if its files were read at the last look.
    waited: Option<Duration>,
    was_runnable: bool,
    /// At how many looks in a row it was starved.
    starved: u32,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// How many threads were starved.
    pub(super) starved: u64,
    /// Whether a thread may turn out to be starved at the next look.
    pub(super) is_suspicious: bool,
    /// The name of a thread that has been starved at so many looks in a row just now.
    pub(super) for_long: Option<String>,
}

impl WatchedThreads {
    pub(super) fn of(placements: &[&ThreadPlacement]) -> Self {
        let step = placements.len().div_ceil(MOST_WATCHED).max(1);
        let threads: Vec<_> = placements
            .iter()
            .step_by(step)
            .filter_map(|placement| Some(WatchedThread::new(placement.id?, placement.name.clone())))
            .collect();
        Self { threads, last: None }
    }

    /// Begins anew: what was seen before is too old to be compared with.
    pub(super) fn begin(&mut self, now: Instant) {
        self.last = Some(now);
        for thread in &mut self.threads {
            thread.ran = None;
            thread.was_starved(Duration::ZERO);
        }
    }

    pub(super) fn close_files(&mut self) {
        self.threads.iter_mut().for_each(|thread| thread.files = None);
    }

    /// Looks at each thread. One that has been starved at `long` looks in a row is named.
    pub(super) fn look(&mut self, now: Instant, long: u32) -> Looked {
        let over = self.last.replace(now).map_or(Duration::ZERO, |last| now - last);
        let mut looked = Looked::default();
        for thread in &mut self.threads {
            let is_starved = thread.was_starved(over);
            looked.starved += u64::from(is_starved);
            looked.is_suspicious |= is_starved || thread.was_runnable;
            if is_starved && thread.starved == long {
                looked.for_long = Some(thread.name.clone());
            }
        }
        looked
    }
}

impl WatchedThread {
    fn new(id: u32, name: String) -> Self {
        Self { id, name, files: None, ran: None, waited: None, was_runnable: false, starved: 0 }
    }

    /// Whether the thread had work and got no CPU since the last look, which was so long ago. A first
    /// look only reads the thread's CPU clock.
    fn was_starved(&mut self, over: Duration) -> bool {
        let now = os::cpu_time_of(self.id);
        let before = std::mem::replace(&mut self.ran, now);
        let ran = before.zip(now).map(|(before, now)| now.saturating_sub(before));
        let Some(ran) = ran.filter(|ran| *ran < over / SHARE) else {
            (self.waited, self.was_runnable, self.starved) = (None, false, 0);
            return false;
        };
        if self.files.is_none() {
            self.files = ThreadFiles::open(self.id);
        }
        let Some(files) = &self.files else { return false };
        // The kernel adds the time that a thread waits when it runs next, so of a thread that did
        // not run at all, only its state says that it waits.
        let is_runnable = files.is_runnable();
        let was_runnable = std::mem::replace(&mut self.was_runnable, is_runnable);
        let got_nothing = was_runnable && is_runnable && ran < over / NOTHING;
        let now = files.times().map(|[_, waited]| waited);
        let before = std::mem::replace(&mut self.waited, now);
        let waited = before.zip(now).map(|(before, now)| now.saturating_sub(before));
        let got_little =
            waited.is_some_and(|waited| waited >= over / 2 && waited > WAITED_TIMES * ran);
        self.starved = if got_nothing || got_little { self.starved + 1 } else { 0 };
        self.starved > 0
    }
}
