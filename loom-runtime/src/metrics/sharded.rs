//! A counter that many threads add to without contention.

use std::cell::Cell;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many threads of a process have a cell of their own; later threads share cells.
const OWN: usize = 16;
const SHARED: usize = 16;

/// A number of events that only grows, added up when it is read.
#[derive(Debug, Default)]
pub(crate) struct Sharded {
    cells: [PaddedCell; OWN + SHARED],
}

/// On a pair of cache lines of its own, since prefetching loads them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct PaddedCell(AtomicU64);

impl Sharded {
    pub(crate) fn add_one(&self) {
        let cell = own_cell();
        let count = &self.cells[cell].0;
        if cell < OWN {
            // Only this thread writes it, so no read-modify-write is needed.
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.cells.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum()
    }
}

/// The index of this thread's cell, the same in every counter.
fn own_cell() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static CELL: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let cell = |number: usize| if number < OWN { number } else { OWN + number % SHARED };
    // A thread whose thread-locals are gone uses a shared cell.
    let Ok(own) = CELL.try_with(Cell::get) else { return OWN };
    own.unwrap_or_else(|| {
        let own = cell(NEXT.fetch_add(1, Ordering::Relaxed));
        let _ = CELL.try_with(|cell| cell.set(Some(own)));
        own
    })
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;
    use crate::sync::thread;

    #[test]
    fn nothing_that_any_thread_adds_is_lost() {
        let counter = Sharded::default();
        thread::scope(|scope| {
            for _ in 0..3 * OWN {
                scope.spawn(|| (0..1000).for_each(|_| counter.add_one()));
            }
        });
        assert_eq!(counter.count(), 3 * OWN as u64 * 1000);
    }
}
