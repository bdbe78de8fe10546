//! A counter that many threads add to without meeting.

use std::cell::Cell;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many threads of a process have a cell of their own; later threads share cells.
const OWN: usize = 16;
const SHARED: usize = 16;

/// A number of events that only grows, added up when it is read.
#[derive(Debug, Default)]
pub(crate) struct Sharded {
    places: [Place; OWN + SHARED],
}

/// On cache lines of its own: prefetching moves them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicU64);

impl Sharded {
    pub(crate) fn add_one(&self) {
        let place = own_place();
        let count = &self.places[place].0;
        if place < OWN {
            // Only this thread writes it, so no read-modify-write is needed.
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.places.iter().map(|place| place.0.load(Ordering::Relaxed)).sum()
    }
}

/// That of this thread, in every counter.
fn own_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let place = |number: usize| if number < OWN { number } else { OWN + number % SHARED };
    // A thread that is being torn down shares.
    let Ok(own) = PLACE.try_with(Cell::get) else { return OWN };
    own.unwrap_or_else(|| {
        let own = place(NEXT.fetch_add(1, Ordering::Relaxed));
        let _ = PLACE.try_with(|place| place.set(Some(own)));
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
