//! Runs threads that put and get chains under the model checker.

use std::ptr::NonNull;

use loom_model::{cell::UnsafeCell, sync::Arc, thread};

use super::block::{block_layout, free, fresh};
use super::chain::{Block, CHAIN, Chain};
use super::reserve::Reserve;

/// A full chain of blocks of the smallest class.
fn chain() -> Chain {
    let mut chain = Chain::new();
    while !chain.is_full() {
        // SAFETY: P3, the memory is new.
        chain.push(unsafe { Block::from_memory(fresh(block_layout(0))) });
    }
    chain
}

fn count_and_free(mut chain: Chain) -> usize {
    let mut count = 0;
    while let Some(block) = chain.pop() {
        free(0, block);
        count += 1;
    }
    count
}

/// One thread puts two chains, two threads get: each chain is got once, complete, and none is lost.
#[test]
fn a_chain_is_got_once() {
    loom_model::model(|| {
        let reserve = Arc::new(Reserve::<2>::new());
        let putting = {
            let reserve = Arc::clone(&reserve);
            thread::spawn(move || {
                (0..2).map(|_| reserve.put(chain()).err().map_or(0, count_and_free)).sum::<usize>()
            })
        };
        let getting = {
            let reserve = Arc::clone(&reserve);
            thread::spawn(move || reserve.get().map_or(0, count_and_free))
        };
        let mut blocks = reserve.get().map_or(0, count_and_free);
        blocks += putting.join().expect("no panic") + getting.join().expect("no panic");
        while let Some(chain) = reserve.get() {
            blocks += count_and_free(chain);
        }
        assert_eq!(blocks, 2 * CHAIN);
    });
}

/// What the thread that puts a chain did to a block happens before what the next owner does to it
/// (P2).
#[test]
fn a_chain_arrives_with_all_that_was_done_to_it() {
    loom_model::model(|| {
        let reserve = Arc::new(Reserve::<1>::new());
        // Stands for the contents of the blocks.
        let contents = Arc::new(UnsafeCell::new(0));
        let giver = {
            let (reserve, contents) = (Arc::clone(&reserve), Arc::clone(&contents));
            thread::spawn(move || {
                // SAFETY: P1, the checker reports a second user.
                contents.with_mut(|contents| unsafe { *contents = 1 });
                reserve.put(chain()).err().map(count_and_free);
            })
        };
        if let Some(chain) = reserve.get() {
            // SAFETY: P1, as above.
            contents.with_mut(|contents| unsafe { *contents += 1 });
            assert_eq!(contents.with(|contents| NonNull::new(contents.cast_mut())).is_some(), true);
            count_and_free(chain);
        }
        giver.join().expect("no panic");
        reserve.get().map(count_and_free);
    });
}
