//! The ways in which the demo has compute functions called. Otherwise it is Loom's.

use std::sync::atomic::Ordering;

use loom::{Mode, Override};

use crate::call::ON_BLOCKING_THREADS;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Functions run where they are called, on the I/O workers.
    Inline,
    /// Each call has a thread of `spawn_blocking`.
    #[value(name = "spawn_blocking")]
    Blocking,
    /// Loom decides.
    Loom,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Inline, Self::Blocking, Self::Loom];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Blocking => "spawn_blocking",
            Self::Loom => "Loom",
        }
    }

    /// From now on functions are called this way.
    pub(crate) fn take(self) {
        ON_BLOCKING_THREADS.store(self == Self::Blocking, Ordering::Relaxed);
        let over = if self == Self::Loom { Override::none() } else { Mode::Inline.into() };
        loom::override_function("*", over);
    }
}
