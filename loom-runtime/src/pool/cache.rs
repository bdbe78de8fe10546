//! The free blocks that each thread caches.

use std::cell::RefCell;

use super::block::{SIZES, free};
use super::chain::{Block, Chain};

#[cfg(not(all(test, any(loom_model, loom_shuttle))))]
static RESERVES: [super::reserve::Reserve; SIZES.len()] =
    [const { super::reserve::Reserve::new() }; SIZES.len()];

/// Two chains of one size. Blocks are taken from the first and given to it.
struct Pair {
    first: Chain,
    second: Chain,
}

/// The pairs of one thread. When the thread ends, its full chains go to the reserve, and its other
/// blocks to the heap.
struct Cache([Pair; SIZES.len()]);

thread_local! {
    static CACHE: RefCell<Cache> =
        const { RefCell::new(Cache([const { Pair { first: Chain::new(), second: Chain::new() } }; SIZES.len()])) };
}

/// A free block from the cache or the reserve, if there is one.
pub(super) fn take(class: usize) -> Option<Block> {
    if IS_FRESH {
        return None;
    }
    // While the thread's locals are destroyed, the thread has no cache.
    CACHE.try_with(|cache| cache.borrow_mut().0[class].take(class)).ok().flatten()
}

/// Puts a block into the cache, or into the heap if the thread has no cache any more.
pub(super) fn give(class: usize, block: Block) {
    if IS_FRESH {
        return free(class, block);
    }
    let mut block = Some(block);
    let kept = CACHE.try_with(|cache| {
        if let Some(block) = block.take() {
            cache.borrow_mut().0[class].give(class, block);
        }
    });
    if let (Err(_), Some(block)) = (kept, block) {
        free(class, block);
    }
}

/// Whether every block comes from the heap and goes back to it, for tools that check heap accesses.
const IS_FRESH: bool = cfg!(any(loom_fresh_blocks, all(test, any(loom_model, loom_shuttle))));

impl Pair {
    fn take(&mut self, class: usize) -> Option<Block> {
        if self.first.is_empty() {
            if self.second.is_empty() {
                self.second = get(class)?;
            }
            std::mem::swap(&mut self.first, &mut self.second);
        }
        self.first.pop()
    }

    fn give(&mut self, class: usize, block: Block) {
        if self.first.is_full() {
            if self.second.is_full() {
                put(class, self.second.take());
            }
            std::mem::swap(&mut self.first, &mut self.second);
        }
        self.first.push(block);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for (class, Pair { first, second }) in self.0.iter_mut().enumerate() {
            for chain in [first.take(), second.take()] {
                put(class, chain);
            }
        }
    }
}

/// Puts a full chain into the reserve, if that has room, and the blocks of any other into the heap.
fn put(class: usize, chain: Chain) {
    let mut rest = if chain.is_full() { keep(class, chain) } else { Some(chain) };
    while let Some(block) = rest.as_mut().and_then(Chain::pop) {
        free(class, block);
    }
}

#[cfg(not(all(test, any(loom_model, loom_shuttle))))]
fn keep(class: usize, chain: Chain) -> Option<Chain> {
    RESERVES[class].put(chain).err()
}

#[cfg(not(all(test, any(loom_model, loom_shuttle))))]
fn get(class: usize) -> Option<Chain> {
    RESERVES[class].get()
}

// The checker's atomics live in one run of a model, so they cannot be in a static. Each model makes
// its own reserve.
#[cfg(all(test, any(loom_model, loom_shuttle)))]
fn keep(_class: usize, chain: Chain) -> Option<Chain> {
    Some(chain)
}

#[cfg(all(test, any(loom_model, loom_shuttle)))]
fn get(_class: usize) -> Option<Chain> {
    None
}
