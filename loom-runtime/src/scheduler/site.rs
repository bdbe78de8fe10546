//! What is learned separately: one function, or one closure type.

use std::any::{self, TypeId};
use std::array;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU32, Ordering};

use super::{ComputeHint, FunctionKey};

/// The next index to hand out; 0 stands for "none yet" in a site.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A function that is learned. `#[loom::compute]` emits one as a static.
#[derive(Debug)]
pub struct Site {
    path: &'static str,
    key: FunctionKey,
    hint: ComputeHint,
    index: AtomicU32,
}

impl Site {
    /// A site for the item at `path`.
    #[must_use]
    pub const fn new(path: &'static str, hint: ComputeHint) -> Self {
        Self { path, key: FunctionKey::from_path(path), hint, index: AtomicU32::new(0) }
    }

    /// The site of a type, made at the first call for it.
    ///
    /// A static inside a generic function is shared by all its instances, so generic
    /// functions and closures are told apart by type. Without a lock: a walk of usually
    /// one node, and one acquire load a node.
    pub fn of_type<T: 'static>(hint: ComputeHint) -> &'static Self {
        static ROOT: Node = Node::new();
        let id = TypeId::of::<T>();
        let mut hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        let mut node = &ROOT;
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "masked to the fan-out")]
            let i = hash as usize % FAN_OUT;
            let (found, site) =
                node.sites[i].get_or_init(|| (id, Self::new(any::type_name::<T>(), hint)));
            if *found == id {
                return site;
            }
            node = node.children[i].get_or_init(Node::boxed);
            // Once the hash is used up every level takes slot 0, so the walk still ends.
            hash >>= FAN_OUT.ilog2();
        }
    }

    /// The item path, or the type's name.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// The key made from the path.
    pub(crate) fn key(&self) -> FunctionKey {
        self.key
    }

    /// What the programmer said.
    pub(crate) fn hint(&self) -> ComputeHint {
        self.hint
    }

    /// A small number of its own, the same for the life of the process.
    ///
    /// `Relaxed`: the number alone is published, nothing else depends on it.
    pub(crate) fn index(&self) -> u32 {
        let index = self.index.load(Ordering::Relaxed);
        if index != 0 { index - 1 } else { self.assign_index() }
    }

    #[cold]
    fn assign_index(&self) -> u32 {
        let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
        // Two first calls at once: one number stays unused.
        match self.index.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh - 1,
            Err(taken) => taken - 1,
        }
    }
}

const FAN_OUT: usize = 64;

/// One level of a hash trie that only grows.
struct Node {
    sites: [OnceLock<(TypeId, Site)>; FAN_OUT],
    children: [OnceLock<Box<Node>>; FAN_OUT],
}

impl Node {
    const fn new() -> Self {
        Self {
            sites: [const { OnceLock::new() }; FAN_OUT],
            children: [const { OnceLock::new() }; FAN_OUT],
        }
    }

    fn boxed() -> Box<Self> {
        Box::new(Self {
            sites: array::from_fn(|_| OnceLock::new()),
            children: array::from_fn(|_| OnceLock::new()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_site() {
        struct One;
        struct Other;
        let one = Site::of_type::<One>(ComputeHint::Low);
        let other = Site::of_type::<Other>(ComputeHint::Low);
        assert!(std::ptr::eq(one, Site::of_type::<One>(ComputeHint::High)));
        assert!(!std::ptr::eq(one, other));
        assert_ne!(one.index(), other.index());
        assert_ne!(one.key(), other.key());
        assert!(one.path().ends_with("One"));
    }

    #[test]
    fn many_types_fit_below_one_another() {
        struct Wide<const N: usize>;
        macro_rules! indices {
            ($($n:literal)*) => { vec![$(Site::of_type::<Wide<$n>>(ComputeHint::Low).index()),*] };
        }
        let mut indices =
            indices!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 25);
    }
}
