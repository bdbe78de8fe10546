//! A counter that many threads add to without meeting.

use std::cell::Cell;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// More threads than these share places.
const PLACES: usize = 16;

/// A number of events that only grows, added up when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Sharded {
    places: [Place; PLACES],
}

/// On cache lines of its own: prefetching moves them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicU64);

impl Sharded {
    pub(crate) fn add_one(&self) {
        self.places[own_place()].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.places.iter().map(|place| place.0.load(Ordering::Relaxed)).sum()
    }
}

/// Threads take places in turn.
fn own_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    // A thread that is being torn down takes any.
    let own = OWN.try_with(Cell::get).unwrap_or(0);
    if own < PLACES {
        return own;
    }
    let own = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
    let _ = OWN.try_with(|place| place.set(own));
    own
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;
    use crate::sync::thread;

    #[test]
    fn nothing_that_any_thread_adds_is_lost() {
        let counter = Sharded::default();
        thread::scope(|scope| {
            for _ in 0..2 * PLACES {
                scope.spawn(|| (0..1000).for_each(|_| counter.add_one()));
            }
        });
        assert_eq!(counter.count(), 2 * PLACES as u64 * 1000);
    }
}
