//! Work of a known length.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Keeps a CPU busy for the time `work`.
pub(crate) fn burn(work: Duration) -> u64 {
    if work.is_zero() {
        return black_box(1);
    }
    let until = Instant::now() + work;
    let mut steps = 0;
    while Instant::now() < until {
        steps += 1;
    }
    black_box(steps)
}
