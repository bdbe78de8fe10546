//! A flag and a count by which one thread sees what others did.

#[cfg(any(feature = "plugin", feature = "plugin-host", all(test, loom_model)))]
use super::modelled::AtomicUsize;
use super::modelled::{AtomicU32, Ordering};

/// A thread that finds the flag raised sees what happened before it was raised.
#[derive(Debug)]
pub(crate) struct Flag(AtomicU32);

impl Default for Flag {
    fn default() -> Self {
        Self::new()
    }
}

impl Flag {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn raise(&self) {
        // Release: with the acquires below. A store would end the release of who has raised it before.
        self.0.swap(1, Ordering::Release);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Lowers the flag. Whether it was raised.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(0, Ordering::Acquire) != 0
    }
}

/// Counts those who use something. A thread that finds none sees what all of them did.
#[cfg(any(feature = "plugin", all(test, loom_model)))]
#[derive(Debug)]
pub(crate) struct Tally(AtomicUsize);

#[cfg(any(feature = "plugin", all(test, loom_model)))]
impl Tally {
    #[cfg(not(all(test, loom_model)))]
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    #[cfg(all(test, loom_model))]
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        // Release: with the acquire of `count`. Each step continues the releases before it.
        self.0.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(any(feature = "plugin", all(test, loom_model)))]
impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// A count that only grows. A thread that reads one sees what came before each step of it.
#[cfg(any(feature = "plugin", feature = "plugin-host", all(test, loom_model)))]
#[derive(Debug)]
pub(crate) struct Total(AtomicUsize);

#[cfg(any(feature = "plugin", feature = "plugin-host", all(test, loom_model)))]
impl Total {
    #[cfg(not(all(test, loom_model)))]
    pub(crate) const fn new(from: usize) -> Self {
        Self(AtomicUsize::new(from))
    }

    #[cfg(all(test, loom_model))]
    pub(crate) fn new(from: usize) -> Self {
        Self(AtomicUsize::new(from))
    }

    pub(crate) fn add_one(&self) {
        // Release: with the acquire of `get`.
        self.0.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, loom_model))]
mod model {
    use loom_model::sync::Arc;
    use loom_model::{cell::UnsafeCell, thread};

    use super::super::explore::{explore, reach};
    use super::*;

    /// The model checker reports a read of a value beside its write.
    #[derive(Default)]
    struct Shared {
        flag: Flag,
        users: Tally,
        values: [UnsafeCell<()>; 2],
    }

    impl Shared {
        fn write(&self, at: usize) {
            self.values[at].with_mut(|_| ());
        }

        fn read(&self, at: usize) {
            self.values[at].with(|_| ());
        }
    }

    /// How a thread looks at the flag.
    fn the_flag_is_seen(look: fn(&Flag) -> bool) {
        explore(3, &["lowered", "raised"], move || {
            let shared = Arc::new(Shared::default());
            let raising = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.write(0);
                    shared.flag.raise();
                })
            };
            if look(&shared.flag) {
                reach("raised");
                shared.read(0);
            } else {
                reach("lowered");
            }
            raising.join().expect("no panic");
        });
    }

    #[test]
    fn what_came_before_a_raised_flag_is_seen() {
        the_flag_is_seen(Flag::is_raised);
    }

    #[test]
    fn what_came_before_a_flag_that_is_taken_is_seen() {
        the_flag_is_seen(Flag::take);
    }

    /// The second raise does not hide what came before the first.
    #[test]
    fn what_came_before_each_raise_is_seen() {
        explore(3, &["both", "fewer"], || {
            let shared = Arc::new((Shared::default(), AtomicUsize::new(0)));
            let raising = [0, 1].map(|at| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.0.write(at);
                    shared.0.flag.raise();
                    shared.1.fetch_add(1, Ordering::Relaxed);
                })
            });
            thread::yield_now();
            let (shared, raised) = &*shared;
            if raised.load(Ordering::Relaxed) == 2 {
                reach("both");
                assert!(shared.flag.take());
                shared.read(0);
                shared.read(1);
            } else {
                reach("fewer");
            }
            raising.into_iter().for_each(|raising| raising.join().expect("no panic"));
        });
    }

    #[test]
    fn what_users_did_is_seen_when_none_is_left() {
        explore(3, &["none", "some"], || {
            let shared = Arc::new(Shared::default());
            let users = [0, 1].map(|at| {
                shared.users.enter();
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.write(at);
                    shared.users.leave();
                })
            });
            if shared.users.count() == 0 {
                reach("none");
                shared.read(0);
                shared.read(1);
            } else {
                reach("some");
            }
            users.into_iter().for_each(|user| user.join().expect("no panic"));
        });
    }

    /// A value makes another and leaves, while a thread counts first all that have left, and then all
    /// that have entered (the check before a library is unloaded).
    #[test]
    fn a_look_at_totals_misses_no_value() {
        explore(3, &["has left", "is there"], || {
            let kinds = Arc::new([0; 2].map(|_| [0; 2].map(Total::new)));
            kinds[0][0].add_one();
            let making = {
                let kinds = Arc::clone(&kinds);
                thread::spawn(move || {
                    let [[_, first_left], [second_entered, _]] = &*kinds;
                    second_entered.add_one();
                    first_left.add_one();
                })
            };
            let left = kinds.each_ref().map(|[_, left]| left.get());
            let entered = kinds.each_ref().map(|[entered, _]| entered.get());
            reach(if left[0] == 1 { "has left" } else { "is there" });
            assert_ne!(left, entered, "there is one value at any moment");
            making.join().expect("no panic");
        });
    }
}
