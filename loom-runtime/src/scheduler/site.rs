//! The unit of learning: one function, or one closure type.

use std::any::{self, TypeId};
use std::ops::RangeInclusive;
use std::panic::Location;
use std::ptr;

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::classes::Classes;
use super::instance::Instance;
use super::trie::Trie;
use super::{ComputeHint, FunctionKey, Mode, Wake, closure};

/// The next index; 0 stands for "none yet" in a site.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A function that is learned. `#[loom::compute]` emits one as a static.
///
/// A static inside a generic function, or a method of a generic type, is shared by all its
/// instances. It stands for the instance that is called first; the others get sites of their own,
/// by the type of the closure that the attribute makes.
#[derive(Debug)]
pub struct Site {
    /// The path of the item, and its name; empty for a closure.
    module: &'static str,
    item: &'static str,
    /// The place of the attribute.
    line: u32,
    column: u32,
    hint: ComputeHint,
    mode: Mode,
    classes: Classes,
    /// How many calls may run at a time; 0 stands for any number.
    max_concurrent: u32,
    /// The name that `key = "…"` gives in place of the path.
    given: Option<&'static str>,
    /// The instance that the site stands for, from the first call on.
    instance: OnceLock<Instance>,
    index: AtomicU32,
    /// Whether tokio has refused the body where it ran inline.
    is_refused: AtomicBool,
    /// Whether it is a function with `scope`; known from its first measured call on.
    borrows: AtomicBool,
}

/// A function, whatever its types: the path of its module, its name, and the place of its attribute.
pub(crate) type Item = (&'static str, &'static str, u32, u32);

impl Site {
    /// A site for an item of a module. The caller's place in the source is that of the attribute.
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
            max_concurrent: 0,
            given: None,
            instance: OnceLock::new(),
            index: AtomicU32::new(0),
            is_refused: AtomicBool::new(false),
            borrows: AtomicBool::new(false),
        }
    }

    /// Sets how many calls may run at a time.
    #[must_use]
    pub const fn limited(mut self, calls: u32) -> Self {
        self.max_concurrent = calls;
        self
    }

    /// Replaces the name that the key is made from.
    #[must_use]
    pub const fn keyed(mut self, name: &'static str) -> Self {
        self.given = Some(name);
        self
    }

    /// Sets the hint of a call's run time.
    #[must_use]
    pub const fn hinted(mut self, hint: ComputeHint) -> Self {
        self.hint = hint;
        self
    }

    /// Sets the mode.
    #[must_use]
    pub const fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Learns calls separately by the magnitude of their input.
    #[must_use]
    pub const fn sized(mut self) -> Self {
        self.classes = Classes::Sizes;
        self
    }

    /// The site of a function that awaits: its polls are learned separately by the wakes that they
    /// follow, and by coarse magnitudes of its input.
    #[must_use]
    pub const fn polled(mut self) -> Self {
        self.classes = self.classes.of_polls();
        self
    }

    /// The site of a closure's type, made at the first call for it, which is made at this place.
    ///
    /// Takes no lock: the look-up usually visits one node, with one acquire load per node.
    /// Calls are also learned separately by their hints, since each call may pass another hint.
    pub(crate) fn of_closure<T: 'static>(place: &'static Location<'static>) -> &'static Self {
        static SITES: Trie<TypeId, Site> = Trie::new();
        SITES.entry(TypeId::of::<T>(), || Self::closure::<T>(place, None, Classes::Hints))
    }

    /// The site of the futures or streams of a type that are spawned at this place: boxed ones all have
    /// the same type.
    pub(crate) fn of_future<T: 'static>(place: &'static Location<'static>) -> &'static Self {
        static SITES: Trie<(TypeId, &'static Location<'static>), Site> = Trie::new();
        let key = (TypeId::of::<T>(), place);
        SITES.entry(key, || Self::closure::<T>(place, None, Classes::Polls))
    }

    /// The site of a closure that may have a given name and a hint, and whose calls may state a size.
    pub(crate) fn of_named<T: 'static>(
        place: &'static Location<'static>,
        name: Option<&'static str>,
        is_sized: bool,
        hint: ComputeHint,
    ) -> &'static Self {
        static SITES: Trie<(TypeId, Option<&'static str>, bool), Site> = Trie::new();
        if name.is_none() && !is_sized {
            return Self::of_closure::<T>(place);
        }
        let classes = if is_sized { Classes::Sizes } else { Classes::Hints };
        let key = (TypeId::of::<T>(), name, is_sized);
        SITES.entry(key, || Self { hint, ..Self::closure::<T>(place, name, classes) })
    }

    fn closure<T: 'static>(
        place: &'static Location<'static>,
        name: Option<&'static str>,
        classes: Classes,
    ) -> Self {
        let instance = OnceLock::new();
        instance.get_or_init(|| closure::instance::<T>(place, name, classes == Classes::Polls));
        Self { classes, given: name, instance, ..Self::new("", "") }
    }

    /// The site of this instance of the function.
    ///
    /// One acquire load and a comparison for the instance that was called first, so always if there
    /// is only one; else a look-up in a trie, with one acquire load per node.
    #[inline]
    pub fn instance<F: 'static>(&'static self) -> &'static Self {
        self.instance_of::<F>(TypeId::of::<F>())
    }

    /// [`instance`](Self::instance) for a closure that borrows: lifetimes make no instances.
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
                max_concurrent: self.max_concurrent,
                given: self.given,
                instance,
                index: AtomicU32::new(0),
                is_refused: AtomicBool::new(false),
                borrows: AtomicBool::new(false),
            }
        })
    }

    /// The item path without types; for a closure, the compiler's name of it.
    pub(crate) fn path(&self) -> &'static str {
        self.instance.get().map_or(self.item, |instance| instance.path)
    }

    /// The item path with its types, if it has any; for a closure, its function and its place.
    pub(crate) fn name(&self) -> &'static str {
        self.instance.get().map_or(self.item, |instance| instance.name)
    }

    /// The key, made from the path and the types. Made at the first call: the compiler would have
    /// to interpret the hash.
    pub(crate) fn key(&self) -> FunctionKey {
        let of_item = || FunctionKey::from_path(self.item);
        self.instance.get().map_or_else(of_item, |instance| instance.key)
    }

    /// The path as profiles have it. A closure with a given name has none of its own.
    pub(crate) fn path_in_profile(&self) -> &'static str {
        let is_closure = self.item.is_empty();
        if is_closure && self.given.is_some() { CLOSURE } else { self.path() }
    }

    /// The hint of the attribute.
    pub(crate) fn hint(&self) -> ComputeHint {
        self.hint
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether its calls wait for a limit: not those of closures, of spawned futures and of functions that borrow.
    pub(crate) fn may_have_limit(&self) -> bool {
        !self.item.is_empty() && !self.borrows.load(Ordering::Relaxed)
    }

    /// Its calls borrow, and so wait for nothing.
    pub(crate) fn takes_no_limit(&self) {
        // A load first: the cache line is shared and seldom changes.
        if !self.borrows.load(Ordering::Relaxed) {
            self.borrows.store(true, Ordering::Relaxed);
        }
    }

    /// How many calls may run at a time, if there is a limit.
    pub(crate) fn max_concurrent(&self) -> Option<u32> {
        (self.max_concurrent > 0).then_some(self.max_concurrent)
    }

    /// What all instances of one function have in common.
    pub(crate) fn of_item(&self) -> Item {
        (self.module, self.item, self.line, self.column)
    }

    /// Tokio has refused the body inline: from now on it is offloaded. True the first time.
    pub(crate) fn refuse(&self) -> bool {
        // Relaxed: a thread that does not see it yet is refused, too.
        !self.is_refused.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// The hint of the calls in a class.
    pub(crate) fn hint_of(&self, class: u8) -> ComputeHint {
        match self.classes {
            Classes::Hints => {
                ComputeHint::ALL.get(usize::from(class)).copied().unwrap_or(self.hint)
            }
            _ => self.hint,
        }
    }

    /// The class of a call with this hint.
    #[inline]
    pub(crate) fn class_of_hint(&self, hint: ComputeHint) -> u8 {
        if self.classes == Classes::Hints { hint.class() } else { 0 }
    }

    /// The class of an input of this size.
    pub(crate) fn class(&self, size: u64) -> u8 {
        self.classes.of_size(size)
    }

    /// The sizes that a class stands for, if the site has such classes.
    pub(crate) fn sizes(&self, class: u8) -> Option<RangeInclusive<u64>> {
        self.classes.sizes(class)
    }

    /// What the polls of a class follow, if the site is one of a function that awaits.
    pub(crate) fn after(&self, class: u8) -> Option<Wake> {
        self.classes.after(class)
    }

    /// The index of the class: a small number that is unique and constant in the process.
    ///
    /// `Relaxed`: the number alone is published; nothing else depends on it.
    #[inline]
    pub(crate) fn index(&self, class: u8) -> u32 {
        let index = self.index.load(Ordering::Relaxed);
        let index = if index != 0 { index - 1 } else { self.assign_index() };
        index + u32::from(class)
    }

    #[cold]
    fn assign_index(&self) -> u32 {
        let fresh = NEXT.fetch_add(self.classes.count(), Ordering::Relaxed);
        // Two first calls at once leave some numbers unused.
        match self.index.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh - 1,
            Err(taken) => taken - 1,
        }
    }
}

/// What profiles say instead of the path of a closure.
pub(crate) const CLOSURE: &str = "(closure)";

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
