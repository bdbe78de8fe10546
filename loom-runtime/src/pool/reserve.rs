//! The chains of one size that no thread caches at the moment.

use std::ptr;

use crate::sync::modelled::{AtomicPtr, Ordering};

use super::chain::Chain;

/// How many chains of each size the reserve keeps.
pub(super) const CELLS: usize = 256;

/// Cells that each hold a full chain or are empty (null).
#[derive(Debug)]
pub(super) struct Reserve<const N: usize = CELLS> {
    cells: [AtomicPtr<()>; N],
}

impl<const N: usize> Reserve<N> {
    #[cfg(not(all(test, loom_model)))]
    pub(super) const fn new() -> Self {
        Self { cells: [const { AtomicPtr::new(ptr::null_mut()) }; N] }
    }

    #[cfg(all(test, loom_model))]
    pub(super) fn new() -> Self {
        Self { cells: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// Keeps a full chain. Returns it as the error if no cell is empty.
    pub(super) fn put(&self, chain: Chain) -> Result<(), Chain> {
        let raw = chain.into_raw();
        for cell in &self.cells {
            // A load first: most cells in front are taken, and a failed swap would still claim the
            // cache line. Release: pairs with the acquire of `get` (P2).
            if cell.load(Ordering::Relaxed).is_null()
                && cell
                    .compare_exchange(ptr::null_mut(), raw, Ordering::Release, Ordering::Relaxed)
                    .is_ok()
            {
                return Ok(());
            }
        }
        // SAFETY: P1, no cell took the chain, so this function still owns it.
        Err(unsafe { Chain::from_raw(raw) })
    }

    /// A full chain, if there is one.
    pub(super) fn get(&self) -> Option<Chain> {
        for cell in &self.cells {
            if cell.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // Acquire: pairs with the release of `put` (P2).
            let raw = cell.swap(ptr::null_mut(), Ordering::Acquire);
            if !raw.is_null() {
                // SAFETY: P1, a swap returns the chain in a cell to one thread only.
                return Some(unsafe { Chain::from_raw(raw) });
            }
        }
        None
    }
}
