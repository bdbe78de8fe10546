//! Runs threads that put and get chains under the model checker.

use std::ptr::NonNull;

use loom_model::{cell::UnsafeCell, sync::Arc, thread};

use super::block::{block_layout, free, fresh};
use super::chain::{Block, CHAIN, Chain};
use super::reserve::Reserve;
use crate::sync::explore::{explore, reach};

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
    explore(3, &[], || {
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
    explore(3, &["comes too early", "gets the chain"], || {
        let reserve = Arc::new(Reserve::<1>::new());
        // Stands for the contents of the blocks: the checker reports a second user.
        let contents = Arc::new(UnsafeCell::new(()));
        let taker = {
            let (reserve, contents) = (Arc::clone(&reserve), Arc::clone(&contents));
            thread::spawn(move || {
                let chain = reserve.get();
                if chain.is_some() {
                    contents.with_mut(|_| ());
                }
                reach(if chain.is_some() { "gets the chain" } else { "comes too early" });
                chain.map(count_and_free)
            })
        };
        contents.with_mut(|_| ());
        reserve.put(chain()).err().map(count_and_free);
        taker.join().expect("no panic");
        reserve.get().map(count_and_free);
    });
}
