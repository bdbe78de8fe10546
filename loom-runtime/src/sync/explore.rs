//! Runs models, and weakens orderings in them.
//!
//! A model proves something only if it runs more than one interleaving, and reaches the branches that
//! it is about; [`explore`] prints both, and fails where it does not.
//!
//! An ordering has a proof only if a model fails without it. Models run on the atomics in here, which
//! weaken the ordering of one place in the sources if the variable `LOOM_MUTANT` names it.
//! `.ci/run mutants` tries each place.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize as Count, Ordering as StdOrdering};
use std::sync::{Arc, Mutex, Once};
use std::{env, fs, io::Write, panic};

use loom_model::sync::atomic as of_model;
pub(crate) use loom_model::sync::atomic::Ordering;

loom_model::thread_local! {
    /// Whether this thread of the model has written in the sequentially consistent order.
    static HAS_WRITTEN: Cell<bool> = Cell::new(false);
}

thread_local! {
    /// All threads of a model share the thread of its test.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    /// Whether anything has panicked. The library ignores some panics, such as those of a future's
    /// drop, and the checker reports by panics.
    static HAS_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the model has reached this branch.
pub(crate) fn reach(branch: &'static str) {
    REACHED.with_borrow_mut(|reached| reached.insert(branch));
}

/// Runs `f` in every interleaving with at most so many preemptions.
///
/// # Panics
///
/// Where `f` panics in one of them, where there is only one, and where the branches that were
/// reached in any of them are not `branches`, in the order of their names.
pub(crate) fn explore(preemptions: usize, branches: &[&str], f: impl Fn() + Sync + Send + 'static) {
    static NOTE_PANICS: Once = Once::new();
    NOTE_PANICS.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            HAS_PANICKED.set(true);
            report(info);
        }));
    });
    REACHED.take();
    let interleavings = Arc::new(Count::new(0));
    let mut model = loom_model::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    let counted = Arc::clone(&interleavings);
    model.check(move || {
        counted.fetch_add(1, StdOrdering::Relaxed);
        f();
        assert!(!HAS_PANICKED.get(), "a panic was ignored");
    });
    let interleavings = interleavings.load(StdOrdering::Relaxed);
    let reached: Vec<_> = REACHED.take().into_iter().collect();
    println!("{interleavings} interleavings; {}", reached.join(", "));
    assert!(interleavings > 1, "nothing interleaves");
    assert_eq!(reached, branches, "the branches that the model is about");
}

/// The place whose ordering is weakened, as `FILE:LINE:COLUMN PART ORDERING`.
static MUTANT: LazyLock<Option<String>> = LazyLock::new(|| env::var("LOOM_MUTANT").ok());
/// Where the places are listed that models reach.
static LIST: LazyLock<Option<Mutex<BTreeSet<String>>>> =
    LazyLock::new(|| env::var_os("LOOM_MUTANTS_LIST").map(|_| Mutex::default()));

/// The ordering of this place. `part` tells the orderings of one operation apart.
fn at(place: &'static Location<'static>, part: &str, written: Ordering) -> Ordering {
    if written == Ordering::Relaxed {
        return written;
    }
    let mutants =
        weaker(part, written).iter().map(|weaker| (format!("{place} {part} {weaker:?}"), weaker));
    for (name, weaker) in mutants {
        if MUTANT.as_ref() == Some(&name) {
            return *weaker;
        }
        if let Some(list) = &*LIST
            && list.lock().expect("no panic").insert(name.clone())
        {
            let path = env::var_os("LOOM_MUTANTS_LIST").expect("it is set");
            let file = fs::OpenOptions::new().append(true).create(true).open(path);
            writeln!(file.expect("the list can be written"), "{name}").expect("as above");
        }
    }
    written
}

/// The orderings just below this one.
fn weaker(part: &str, written: Ordering) -> &'static [Ordering] {
    match written {
        Ordering::SeqCst if ["load", "failure"].contains(&part) => &[Ordering::Acquire],
        Ordering::SeqCst if part == "store" => &[Ordering::Release],
        Ordering::SeqCst => &[Ordering::AcqRel],
        Ordering::AcqRel => &[Ordering::Acquire, Ordering::Release],
        _ => &[Ordering::Relaxed],
    }
}

/// The checker takes sequentially consistent operations for little more than acquiring and releasing
/// ones; it has such fences. What the order promises is that a load in it does not come before a
/// write in it by the same thread, so there is a fence between the two. (What reads and writes at
/// once always reads the last value.)
fn read(ordering: Ordering) {
    if ordering == Ordering::SeqCst && HAS_WRITTEN.with(Cell::get) {
        of_model::fence(ordering);
    }
}

fn wrote(ordering: Ordering) {
    if ordering == Ordering::SeqCst {
        HAS_WRITTEN.with(|has_written| has_written.set(true));
    }
}

#[track_caller]
pub(crate) fn fence(written: Ordering) {
    match at(Location::caller(), "fence", written) {
        Ordering::Relaxed => {}
        ordering => of_model::fence(ordering),
    }
}

/// The checker's weak one never fails without a reason.
macro_rules! exchange {
    ($T:ty: $($operation:ident)*) => {
        $(
            #[track_caller]
            pub(crate) fn $operation(
                &self,
                current: $T,
                new: $T,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$T, $T> {
                let place = Location::caller();
                let [success, failure] =
                    [("success", success), ("failure", failure)].map(|(part, it)| at(place, part, it));
                let exchanged = self.0.$operation(current, new, success, failure);
                wrote(success);
                exchanged
            }
        )*
    };
}

/// The operations of `$Atomic` on values of `$T`, with orderings that can be weakened.
macro_rules! atomic {
    ($Atomic:ident, $T:ty $(, $generic:ident)?) => {
        #[derive(Debug)]
        pub(crate) struct $Atomic$(<$generic>)?(of_model::$Atomic$(<$generic>)?);

        impl$(<$generic>)? $Atomic$(<$generic>)? {
            #[track_caller]
            pub(crate) fn new(value: $T) -> Self {
                Self(of_model::$Atomic::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, written: Ordering) -> $T {
                let ordering = at(Location::caller(), "load", written);
                read(ordering);
                self.0.load(ordering)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $T, written: Ordering) {
                let ordering = at(Location::caller(), "store", written);
                self.0.store(value, ordering);
                wrote(ordering);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $T, written: Ordering) -> $T {
                let ordering = at(Location::caller(), "swap", written);
                let before = self.0.swap(value, ordering);
                wrote(ordering);
                before
            }

            exchange!($T: compare_exchange compare_exchange_weak);

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                change: impl FnMut($T) -> Option<$T>,
            ) -> Result<$T, $T> {
                let place = Location::caller();
                let failure = at(place, "failure", failure);
                self.0.fetch_update(at(place, "success", success), failure, change)
            }
        }
    };
}

/// Those that only numbers have.
macro_rules! number {
    ($Atomic:ident, $T:ty) => {
        atomic!($Atomic, $T);

        impl $Atomic {
            number!($T: fetch_add fetch_sub fetch_or fetch_and fetch_xor);
        }
    };
    ($T:ty: $($operation:ident)*) => {
        $(
            #[track_caller]
            pub(crate) fn $operation(&self, value: $T, written: Ordering) -> $T {
                let ordering = at(Location::caller(), stringify!($operation), written);
                let before = self.0.$operation(value, ordering);
                wrote(ordering);
                before
            }
        )*
    };
}

number!(AtomicUsize, usize);
number!(AtomicU32, u32);
number!(AtomicU64, u64);
atomic!(AtomicPtr, *mut T, T);
