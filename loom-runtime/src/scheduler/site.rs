//! What is learned separately: one function, or one closure type.

use std::any::{self, TypeId};
use std::ops::RangeInclusive;
use std::panic::Location;
use std::ptr;

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::trie::Trie;
use super::{ComputeHint, FunctionKey, Mode};

/// The next index to hand out; 0 stands for "none yet" in a site.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A function that is learned. `#[loom::compute]` emits one as a static.
///
/// A static inside a generic function, or a method of a generic type, is shared by all its
/// instances. It stands for the one that is called first; the others get sites of their own, by
/// the type of the closure that the attribute makes.
#[derive(Debug)]
pub struct Site {
    /// Where the item is, and its name; of a closure, nothing and its type's name.
    module: &'static str,
    item: &'static str,
    /// Where the attribute stands.
    line: u32,
    column: u32,
    hint: ComputeHint,
    mode: Mode,
    classes: Classes,
    /// A name that the programmer gave in place of the path.
    given: Option<&'static str>,
    /// Whose it is, from the first call on.
    instance: OnceLock<Instance>,
    index: AtomicU32,
}

impl Site {
    /// A site for an item of a module, whose attribute stands where this is called.
    #[track_caller]
    #[must_use]
    pub const fn new(module: &'static str, item: &'static str) -> Self {
        let place = Location::caller();
        Self {
            module,
            item,
            line: place.line(),
            column: place.column(),
            hint: ComputeHint::Unknown,
            mode: Mode::Adaptive,
            classes: Classes::One,
            given: None,
            instance: OnceLock::new(),
            index: AtomicU32::new(0),
        }
    }

    /// With another name, which the key is made from.
    #[must_use]
    pub const fn keyed(mut self, name: &'static str) -> Self {
        self.given = Some(name);
        self
    }

    /// With an expectation of what a call costs.
    #[must_use]
    pub const fn hinted(mut self, hint: ComputeHint) -> Self {
        self.hint = hint;
        self
    }

    /// With a mode.
    #[must_use]
    pub const fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Whose calls are learned apart by the magnitude of their input.
    #[must_use]
    pub const fn sized(mut self) -> Self {
        self.classes = Classes::Sizes;
        self
    }

    /// The site of a closure's type, made at the first call for it.
    ///
    /// Without a lock: a walk of usually one node, and one acquire load a node.
    /// Calls are told apart by their hints, too, since a closure may be given another each time.
    pub fn of_type<T: 'static>() -> &'static Self {
        static SITES: Trie<TypeId, Site> = Trie::new();
        SITES.entry(TypeId::of::<T>(), || {
            let site = Self::new("", any::type_name::<T>());
            Self { classes: Classes::Hints, ..site }
        })
    }

    /// The site of that instance of the function.
    ///
    /// One acquire load and a comparison where it is the first that was called, which the only
    /// one always is; else a walk as of [`of_type`](Self::of_type).
    #[inline]
    pub fn instance<F: 'static>(&'static self) -> &'static Self {
        self.instance_of::<F>(TypeId::of::<F>())
    }

    /// The same of a closure that borrows: lifetimes make no instances.
    #[inline]
    pub fn instance_that_borrows<F>(&'static self) -> &'static Self {
        self.instance_of::<F>(typeid::of::<F>())
    }

    #[inline]
    fn instance_of<F>(&'static self, of: TypeId) -> &'static Self {
        match self.instance.get() {
            Some(instance) if instance.of == of => self,
            _ => self.find(of, any::type_name::<F>()),
        }
    }

    fn find(&'static self, of: TypeId, type_name: &'static str) -> &'static Self {
        static OTHERS: Trie<(TypeId, usize), Site> = Trie::new();
        let made = || {
            let key = FunctionKey::of_item(self.module, self.item, self.line, self.column);
            Instance::new(of, type_name, (self.module, self.item), self.given, key)
        };
        if self.instance.get_or_init(made).of == of {
            return self;
        }
        OTHERS.entry((of, ptr::from_ref(self).addr()), || {
            let instance = OnceLock::new();
            instance.get_or_init(made);
            Self {
                module: self.module,
                item: self.item,
                line: self.line,
                column: self.column,
                hint: self.hint,
                mode: self.mode,
                classes: self.classes,
                given: self.given,
                instance,
                index: AtomicU32::new(0),
            }
        })
    }

    /// The item path without types; of a closure, its type's name.
    pub(crate) fn path(&self) -> &'static str {
        self.instance.get().map_or(self.item, |instance| instance.path)
    }

    /// The same with types, where it has any.
    pub(crate) fn name(&self) -> &'static str {
        self.instance.get().map_or(self.item, |instance| instance.name)
    }

    /// The key made from what is known at compile time, and from the types: at the first call,
    /// since the compiler would have to interpret it.
    pub(crate) fn key(&self) -> FunctionKey {
        let of_closure = || FunctionKey::from_path(self.item);
        self.instance.get().map_or_else(of_closure, |instance| instance.key)
    }

    /// What the programmer said.
    pub(crate) fn hint(&self) -> ComputeHint {
        self.hint
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The same of the calls in a class.
    pub(crate) fn hint_of(&self, class: u8) -> ComputeHint {
        match self.classes {
            Classes::Hints => HINTS.get(usize::from(class)).copied().unwrap_or(self.hint),
            Classes::One | Classes::Sizes => self.hint,
        }
    }

    /// Which of its classes a call with that hint is in.
    #[inline]
    pub(crate) fn class_of_hint(&self, hint: ComputeHint) -> u8 {
        match (self.classes, hint) {
            (Classes::One | Classes::Sizes, _) | (_, ComputeHint::Unknown) => 0,
            (Classes::Hints, ComputeHint::Low) => 1,
            (Classes::Hints, ComputeHint::Medium) => 2,
            (Classes::Hints, ComputeHint::High) => 3,
        }
    }

    /// Which of its classes an input of that size is in: the number of its binary digits.
    pub(crate) fn class(&self, size: u64) -> u8 {
        if self.classes != Classes::Sizes {
            return 0;
        }
        // At most 64; the two largest share one.
        u8::try_from((u64::BITS - size.leading_zeros()).min(SIZES - 1)).unwrap_or(0)
    }

    /// The sizes that a class stands for, where there are classes.
    pub(crate) fn sizes(&self, class: u8) -> Option<RangeInclusive<u64>> {
        let class = u32::from(class);
        let first = if class == 0 { 0 } else { 1 << (class - 1) };
        let last = if class == SIZES - 1 { u64::MAX } else { (1 << class) - 1 };
        (self.classes == Classes::Sizes).then_some(first..=last)
    }

    /// A small number for the class, the same for the life of the process, and nobody else's.
    ///
    /// `Relaxed`: the number alone is published, nothing else depends on it.
    #[inline]
    pub(crate) fn index(&self, class: u8) -> u32 {
        let index = self.index.load(Ordering::Relaxed);
        let index = if index != 0 { index - 1 } else { self.assign_index() };
        index + u32::from(class)
    }

    #[cold]
    fn assign_index(&self) -> u32 {
        let classes = match self.classes {
            Classes::One => 1,
            Classes::Hints => HINTS.len(),
            Classes::Sizes => SIZES as usize,
        };
        let classes = u32::try_from(classes).unwrap_or(SIZES);
        let fresh = NEXT.fetch_add(classes, Ordering::Relaxed);
        // Two first calls at once: some numbers stay unused.
        match self.index.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh - 1,
            Err(taken) => taken - 1,
        }
    }
}

/// How many classes a site has whose calls tell a size.
const SIZES: u32 = 64;
/// In the order of their classes.
const HINTS: [ComputeHint; 4] =
    [ComputeHint::Unknown, ComputeHint::Low, ComputeHint::Medium, ComputeHint::High];

/// What calls of one site are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Classes {
    /// Nothing.
    One,
    /// What each expects of itself.
    Hints,
    /// The magnitude of the input.
    Sizes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_site() {
        struct One;
        struct Other;
        let one = Site::of_type::<One>();
        let other = Site::of_type::<Other>();
        assert!(ptr::eq(one, Site::of_type::<One>()));
        assert!(!ptr::eq(one, other));
        assert_ne!(one.index(0), other.index(0));
        assert_ne!(one.key(), other.key());
        assert!(one.path().ends_with("One"));
    }

    #[test]
    fn instances_of_one_function_are_learned_apart() {
        static SITE: Site = Site::new("shop", "sum").hinted(ComputeHint::High);
        static ELSEWHERE: Site = Site::new("shop", "sum");
        struct One;
        struct Other<'a>(std::marker::PhantomData<&'a ()>);
        let one = SITE.instance::<One>();
        let other = SITE.instance_that_borrows::<Other<'_>>();
        assert!(ptr::eq(one, &raw const SITE) && ptr::eq(one, SITE.instance::<One>()));
        assert!(!ptr::eq(one, other) && ptr::eq(other, SITE.instance_that_borrows::<Other<'_>>()));
        assert!(!ptr::eq(other, ELSEWHERE.instance_that_borrows::<Other<'_>>()));
        assert_eq!((one.path(), other.path()), ("shop::sum", "shop::sum"));
        assert_eq!((one.hint(), other.hint()), (ComputeHint::High, ComputeHint::High));
        assert!(other.name().contains("Other"), "{}", other.name());
        let keys = [one.key(), other.key(), ELSEWHERE.instance::<One>().key()];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{keys:?}");
        }
    }

    #[test]
    fn sizes_of_one_magnitude_share_a_class() {
        let site = Site::new("shop", "by size").sized();
        let next = Site::new("shop", "the next");
        for (size, class) in [(0, 0), (1, 1), (2, 2), (3, 2), (1024, 11), (2047, 11)] {
            assert_eq!(site.class(size), class);
            assert!(site.sizes(class).is_some_and(|sizes| sizes.contains(&size)));
            assert_eq!(next.class(size), 0);
        }
        assert_eq!(site.class(u64::MAX), 63);
        assert_eq!(site.sizes(63), Some(1 << 62..=u64::MAX));
        assert_eq!(next.sizes(0), None);
        assert!(next.index(0) < site.index(0) || next.index(0) >= site.index(0) + 64);
    }

    #[test]
    fn hints_are_classes_of_closures() {
        struct Given;
        let site = Site::of_type::<Given>();
        for (class, hint) in HINTS.into_iter().enumerate() {
            assert_eq!(usize::from(site.class_of_hint(hint)), class);
            assert_eq!(site.hint_of(site.class_of_hint(hint)), hint);
        }
        let fixed = Site::new("shop", "one hint").hinted(ComputeHint::High);
        assert_eq!(fixed.class_of_hint(ComputeHint::Low), 0);
        assert_eq!(fixed.hint_of(0), ComputeHint::High);
    }

    #[test]
    fn many_types_fit_below_one_another() {
        struct Wide<const N: usize>;
        macro_rules! indices {
            ($($n:literal)*) => { vec![$(Site::of_type::<Wide<$n>>().index(0)),*] };
        }
        let mut indices =
            indices!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 25);
    }
}
