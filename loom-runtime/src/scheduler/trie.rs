//! A grow-only map that is read without a lock: a hash trie.

use std::array;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::sync::OnceLock;

const FAN_OUT: usize = 64;

/// Values by key, each made at the first use of its key. Values never move and are never removed.
///
/// A look-up usually visits one node, with one acquire load per node.
#[derive(Debug)]
pub(crate) struct Trie<K, V>(Node<K, V>);

/// One level of the trie.
#[derive(Debug)]
struct Node<K, V> {
    values: [OnceLock<(K, V)>; FAN_OUT],
    children: [OnceLock<Box<Node<K, V>>>; FAN_OUT],
}

impl<K, V> Trie<K, V> {
    pub(crate) const fn new() -> Self {
        let values = [const { OnceLock::new() }; FAN_OUT];
        Self(Node { values, children: [const { OnceLock::new() }; FAN_OUT] })
    }
}

impl<K, V> Default for Trie<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Eq + Hash, V> Trie<K, V> {
    #[inline]
    pub(crate) fn entry(&self, key: K, make: impl Fn() -> V) -> &V {
        let mut hash = hash(key);
        let mut node = &self.0;
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "masked to the fan-out")]
            let i = hash as usize % FAN_OUT;
            let (found, value) = node.values[i].get_or_init(|| (key, make()));
            if *found == key {
                return value;
            }
            node = node.children[i].get_or_init(Node::boxed);
            // When all bits of the hash are used, every level takes entry 0: the walk still ends.
            hash >>= FAN_OUT.ilog2();
        }
    }
}

#[inline]
fn hash(key: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

impl<K, V> Node<K, V> {
    fn boxed() -> Box<Self> {
        Box::new(Self {
            values: array::from_fn(|_| OnceLock::new()),
            children: array::from_fn(|_| OnceLock::new()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Trie;

    #[test]
    fn each_key_has_one_value_however_many_there_are() {
        let trie = Trie::new();
        let first: *const u64 = trie.entry(0_u64, || 0);
        for key in 0..10_000 {
            assert_eq!(*trie.entry(key, || key * 2), key * 2);
        }
        for key in 0..10_000 {
            assert_eq!(*trie.entry(key, || unreachable!("it was made")), key * 2);
        }
        assert!(std::ptr::eq(first, trie.entry(0, || unreachable!("it was made"))));
    }
}
