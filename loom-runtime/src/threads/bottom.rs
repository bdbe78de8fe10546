//! Whether a job of the compute pool has other work below it on its thread.
//!
//! Rayon does not tell a job whether it runs in the thread's main loop or while other work waits. But
//! the jobs of one kind are all called through the same frames. So where such a job has nothing below
//! it, its first frame has the same address each time on one thread, and other work moves it down.
//! Each thread records these addresses with jobs of their own, before it runs any that asks.

use std::cell::Cell;

/// How a job comes to a thread of the pool. The frames below it differ.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Spawned,
    Broadcast,
}

thread_local! {
    /// The highest address of a frame of each way so far; 0 before the first one.
    static BOTTOM: [Cell<usize>; 2] = const { [Cell::new(0), Cell::new(0)] };
}

/// The job with this frame has nothing below it, as far as its sender knows.
pub(super) fn record(way: Way, frame: usize) {
    BOTTOM.with(|bottom| raise(&bottom[way as usize], frame));
}

/// Whether the job with this frame has nothing below it.
///
/// False before both ways are recorded. A thread that starts late finds what was broadcast before
/// what was spawned. If it ran calls then, the job that records the other way could run on top of
/// one of them, and would record the wrong address.
pub(super) fn is_at(way: Way, frame: usize) -> bool {
    BOTTOM.with(|bottom| {
        let are_known = bottom.iter().all(|highest| highest.get() > 0);
        raise(&bottom[way as usize], frame);
        are_known && frame == bottom[way as usize].get()
    })
}

/// Nothing is above the right address, so a wrong one lasts until the next job at the bottom.
fn raise(highest: &Cell<usize>, frame: usize) {
    highest.set(highest.get().max(frame));
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_at_the_bottom_if_no_frame_was_higher_and_both_are_known() {
        assert!(!is_at(Way::Broadcast, 900), "nothing is known");
        record(Way::Broadcast, 900);
        assert!(!is_at(Way::Broadcast, 900), "the other way is not known");
        record(Way::Spawned, 500);
        assert!(is_at(Way::Broadcast, 900) && !is_at(Way::Broadcast, 899));
        assert!(is_at(Way::Spawned, 500) && !is_at(Way::Spawned, 499));
        // What was recorded on top of other work is corrected.
        assert!(is_at(Way::Spawned, 880) && !is_at(Way::Spawned, 500));
    }
}
