//! Threads and child processes that inherited the idle class from a compute thread.
//!
//! Loom cannot prevent that, and an unprivileged thread cannot leave the class. So the keeper finds
//! them while there is compute work, counts them by name, and warns once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::sync::atomic::AtomicBool;
use crate::sync::{Mutex, PoisonError};
use crate::topology::{os, with_own_idle_threads};

use super::warn::warn_once;

/// The least time between two looks: each asks the system once for each thread of the process.
const PAUSE: Duration = Duration::from_secs(1);

/// How many threads and processes of a name were found.
static FOUND: Mutex<BTreeMap<(String, Kind), u64>> = Mutex::new(BTreeMap::new());

/// What inherited the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Thread,
    Process,
}

/// Names, and how many of each were found in this process so far.
pub(crate) fn found() -> Vec<(String, Kind, u64)> {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.iter().map(|((name, kind), count)| (name.clone(), *kind, *count)).collect()
}

/// The keeper's looks. A look that finds nothing does not allocate.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Option<Instant>,
    /// What the last look found, and whether it was counted. A thread of Loom's that is just ending
    /// is found once, so only what two looks in a row find is counted.
    seen: BTreeMap<u32, bool>,
    /// The threads of the idle class; kept for its memory.
    idle: Vec<u32>,
}

impl Looks {
    /// Looks for them, if the last look was long enough ago.
    pub(super) fn look(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        self.last = Some(now);
        let has_own = with_own_idle_threads(|own| !own.is_empty());
        // Where the process itself is of the idle class, nothing has changed for the worse.
        if !has_own || os::is_idle(std::process::id()) {
            return;
        }
        self.idle.clear();
        os::each_thread(|id| {
            if os::is_idle(id) {
                self.idle.push(id);
            }
        });
        let mut all = Vec::new();
        with_own_idle_threads(|own| {
            let threads = self.idle.iter().filter(|id| !own.contains(id));
            all.extend(threads.map(|id| (*id, Kind::Thread)));
        });
        for thread in &self.idle {
            os::each_child_of(*thread, |id| {
                if os::is_idle(id) {
                    all.push((id, Kind::Process));
                }
            });
        }
        let before = std::mem::take(&mut self.seen);
        for (id, kind) in all {
            if before.get(&id) == Some(&false) {
                count(id, kind);
            }
            self.seen.insert(id, before.contains_key(&id));
        }
    }
}

fn count(id: u32, kind: Kind) {
    static WARNED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
    // It has ended meanwhile.
    let Some(name) = os::name_of(id) else { return };
    let (warned, text) = match kind {
        Kind::Thread => (
            &WARNED[0],
            format!(
                "thread `{name}` was started by compute work and inherited its idle priority: it \
                 runs only where no thread of normal priority wants a CPU; start threads from \
                 async code or `spawn_blocking`, or set `compute_priority` to `normal`"
            ),
        ),
        Kind::Process => (
            &WARNED[1],
            format!(
                "process `{name}` was started by compute work and inherited its idle priority: \
                 start processes from async code or `spawn_blocking`, or with \
                 `loom::command_reset`"
            ),
        ),
    };
    *FOUND.lock().unwrap_or_else(PoisonError::into_inner).entry((name, kind)).or_default() += 1;
    warn_once(warned, &text);
}

/// How many were found.
pub(crate) fn total() -> u64 {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
}
