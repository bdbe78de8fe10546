//! Counts of what this library has made and other libraries hold.

use loom_abi::Report;

use crate::sync::Total;

/// The counts of one kind of value. Both only grow, so that one look at all kinds can be sure of
/// what it saw ("The check before unloading" in the README).
#[derive(Debug)]
pub(super) struct Kind {
    entered: Total,
    left: Total,
}

pub(super) static FUTURES: Kind = Kind::new();
pub(super) static WAKERS: Kind = Kind::new();
pub(super) static JOBS: Kind = Kind::new();
/// Threads of other libraries that run a body of this library, and those that ran its code while they
/// ended ([`pin`](super::pin)). They are not in the report, since bodies run for as long as this
/// library is attached.
pub(super) static BODIES: Kind = Kind::new();
/// Registrations with a host. They are not in the report, for the same reason.
pub(super) static GUESTS: Kind = Kind::new();
/// Counts of this library's runtimes that guests of it have. They are not in the report, since this
/// library need not be anybody's guest.
pub(super) static RUNTIMES: Kind = Kind::new();
pub(super) static TASKS: Kind = Kind::new();

/// One counted value, while it lives. Who finds none sees the end of each.
#[derive(Debug)]
pub(super) struct Entry(&'static Kind);

impl Kind {
    pub(super) const fn new() -> Self {
        Self::after(0)
    }

    /// A kind of which so many values have come and gone.
    pub(super) const fn after(values: usize) -> Self {
        Self { entered: Total::new(values), left: Total::new(values) }
    }

    pub(super) fn enter(&'static self) -> Entry {
        self.entered.add_one();
        Entry(self)
    }

    /// The end of a value whose [`Entry`] was forgotten.
    #[cfg(feature = "plugin-host")]
    pub(super) fn leave(&'static self) {
        drop(Entry(self));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.left.add_one();
    }
}

/// The current counts.
pub(crate) fn report() -> Report {
    look(|| ()).0
}

/// What others have of this library beside what is in the [`Report`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// Threads of other libraries that run its code.
    pub(crate) threads: usize,
    /// Hosts with which it is registered.
    pub(crate) hosts: usize,
    /// Counts of its runtimes.
    pub(crate) runtimes: usize,
}

/// The counts, and what `meanwhile` returns. If all counts are zero, then all were zero in the moment
/// in which `meanwhile` was called.
pub(crate) fn look<R>(meanwhile: impl FnOnce() -> R) -> (Report, Beside, R) {
    let kinds = [&FUTURES, &WAKERS, &JOBS, &TASKS, &BODIES, &GUESTS, &RUNTIMES];
    let ([futures, wakers, jobs, tasks, threads, hosts, runtimes], found) =
        look_at(kinds, || (), meanwhile);
    (Report { futures, wakers, jobs, tasks }, Beside { threads, hosts, runtimes }, found)
}

/// [`look`] at these kinds; calls `step` before each of its loads, where a test intervenes.
pub(super) fn look_at<const N: usize, R>(
    kinds: [&Kind; N],
    mut step: impl FnMut(),
    meanwhile: impl FnOnce() -> R,
) -> ([usize; N], R) {
    // A value that has left entered others before, and the second pass counts these. A caller that
    // reads zero also sees the end of every value.
    let mut pass = |of: fn(&Kind) -> &Total| {
        kinds.map(|kind| {
            step();
            of(kind).get()
        })
    };
    let left = pass(|kind| &kind.left);
    let found = meanwhile();
    let entered = pass(|kind| &kind.entered);
    // Wrapping, as the counts themselves.
    (std::array::from_fn(|kind| entered[kind].wrapping_sub(left[kind])), found)
}
