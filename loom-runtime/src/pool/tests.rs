//! Tests of the rules of `README.md`, on one thread and on several.

use std::alloc::Layout;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::block::{SIZES, class_of};
use super::{Boxed, give, take};
use crate::sync::{rounds, thread};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

#[test]
fn the_smallest_size_that_is_enough() {
    assert_eq!(SIZES.map(|size| class_of(layout(size))), [Some(0), Some(1), Some(2)]);
    assert_eq!(SIZES.map(|size| class_of(layout(size + 1))), [Some(1), Some(2), None]);
    assert_eq!(class_of(Layout::from_size_align(8, 128).expect("a layout")), None);
}

#[test]
fn what_is_taken_is_aligned_and_nobody_elses() {
    let layout = layout(200);
    let taken: Vec<_> = (0..200).map(|_| take(layout)).collect();
    let distinct: HashSet<_> = taken.iter().collect();
    assert_eq!(distinct.len(), taken.len());
    for memory in taken {
        assert_eq!(memory.addr().get() % 64, 0);
        // SAFETY: P1, P3, P4: the block was taken above, and nothing was written to it.
        unsafe { give(memory, layout) };
    }
}

#[test]
fn what_is_given_back_is_taken_again() {
    let layout = layout(400);
    let first = take(layout);
    // SAFETY: P1, P3, P4: the block was just taken, and nothing was written to it.
    unsafe { give(first, layout) };
    let second = take(layout);
    assert!(first == second || cfg!(loom_fresh_blocks));
    // SAFETY: P1, P3, P4: as above.
    unsafe { give(second, layout) };
}

#[test]
fn what_is_too_large_comes_from_the_heap() {
    let layout = layout(1 << 20);
    let memory = take(layout);
    // SAFETY: P1, the test owns the block, which is as large as requested.
    unsafe { memory.write_bytes(0, layout.size()) };
    // SAFETY: P1, P3, P4: bytes need no drop.
    unsafe { give(memory, layout) };
}

/// One thread takes blocks, another gives them back: the blocks return through the reserve.
#[test]
fn blocks_travel_between_threads() {
    struct Memory(std::ptr::NonNull<u8>);
    // SAFETY: P1, a block has one owner, on any thread.
    unsafe impl Send for Memory {}

    let layout = layout(900);
    let mut seen = HashSet::new();
    for _ in 0..rounds(100) {
        let taken: Vec<_> = (0..64).map(|_| Memory(take(layout))).collect();
        seen.extend(taken.iter().map(|memory| memory.0));
        let giver = thread::spawn(move || {
            for Memory(memory) in taken {
                // SAFETY: P1, P3, P4: the block came with the closure, and was not written to.
                unsafe { give(memory, layout) };
            }
        });
        giver.join().expect("the thread does not panic");
    }
    // Without recycling there could be 6400 different blocks.
    assert!(seen.len() < 1000 || cfg!(loom_fresh_blocks), "{} blocks", seen.len());
}

#[test]
fn a_boxed_value_is_dropped_once_and_can_be_taken_out() {
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let mut boxed = Boxed::new((Counted(&drops), [7_u64; 9]));
    boxed.1[8] = 8;
    assert_eq!(boxed.1[7..], [7, 8]);
    drop(boxed);
    assert_eq!(drops.get(), 1);
    let (counted, numbers) = Boxed::new((Counted(&drops), [1_u8; 2000])).into_inner();
    assert_eq!((drops.get(), numbers.len()), (1, 2000));
    drop(counted);
    assert_eq!(drops.get(), 2);
}

#[test]
fn a_boxed_value_whose_drop_panics_gives_its_block_back() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            resume_unwind(Box::new("on purpose"));
        }
    }
    for _ in 0..100 {
        let boxed = Boxed::new(Panics);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(boxed))).is_err());
    }
}
