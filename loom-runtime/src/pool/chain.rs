//! Free blocks, linked to chains.

use std::mem;
use std::ptr::{self, NonNull};

/// How many blocks a full chain has.
pub(super) const CHAIN: usize = 32;

/// A free block, which starts with its link (rule P3).
#[derive(Debug)]
pub(super) struct Block(NonNull<Link>);

/// The first word of a free block.
struct Link {
    next: *mut Link,
}

impl Block {
    /// # Safety
    ///
    /// P1, P3: the caller owns the memory, which holds no value, and is large and aligned enough
    /// for a link.
    pub(super) unsafe fn from_memory(memory: NonNull<u8>) -> Self {
        Self(memory.cast())
    }

    pub(super) fn into_memory(self) -> NonNull<u8> {
        self.0.cast()
    }
}

/// Free blocks of one size. The block that was pushed last is popped first.
#[derive(Debug)]
pub(super) struct Chain {
    head: *mut Link,
    len: usize,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { head: ptr::null_mut(), len: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == CHAIN
    }

    pub(super) fn push(&mut self, block: Block) {
        let link = block.into_memory().cast::<Link>();
        // SAFETY: P3, the chain owns the block, which is empty: its first word is its link.
        unsafe { link.write(Link { next: self.head }) };
        self.head = link.as_ptr();
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Block> {
        let link = NonNull::new(self.head)?;
        // SAFETY: P3, the chain owns its blocks, each with the link that `push` wrote.
        let Link { next } = unsafe { link.read() };
        self.head = next;
        self.len -= 1;
        Some(Block(link))
    }

    /// A full chain as one pointer, for a cell.
    pub(super) fn into_raw(self) -> *mut () {
        debug_assert!(self.is_full(), "cells hold full chains");
        self.head.cast()
    }

    /// # Safety
    ///
    /// P1: the pointer came from `into_raw`, and has no other user.
    pub(super) unsafe fn from_raw(head: *mut ()) -> Self {
        Self { head: head.cast(), len: CHAIN }
    }

    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::new())
    }
}
