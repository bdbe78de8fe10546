//! The contenders: each is a type behind one trait, and a line in one list.

mod bare;
mod contender;
mod ours;
mod peers;

use bare::Bare;
pub(crate) use contender::Contender;
use ours::{LoomAdaptive, LoomAttribute, LoomCompute, LoomScope, LoomSized};
use peers::{AsyncScoped, BlockInPlace, Inline, LoomRs, RayonOneshot, SpawnBlocking, TokioRayon};

/// The role of a contender in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Computes inline; a reference value.
    Reference,
    /// Another project's way to offload, which Loom is compared with.
    Peer,
    Loom,
    /// The bare cost of a hand-over.
    Bare,
}

/// The bench in which a contender appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Calls,
    Pairs,
    Decisions,
    Http,
    /// `Http` beside neighbours.
    Neighbours,
}

/// A line of the list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) benches: &'static [Bench],
}

/// An operation on a contender of any type.
pub(crate) trait Visit {
    type Output;

    fn visit<C: Contender>(self, contender: C) -> Self::Output;
}

macro_rules! contenders {
    ($($name:literal $kind:ident [$($bench:ident)*] $make:expr;)*) => {
        /// All contenders, in the order of the tables.
        pub(crate) const ALL: &[Entry] = &[
            $(Entry { name: $name, kind: Kind::$kind, benches: &[$(Bench::$bench),*] }),*
        ];

        /// Makes the contender with this name, if there is one.
        pub(crate) fn make<V: Visit>(name: &str, visit: V) -> Option<V::Output> {
            match name {
                $($name => Some(visit.visit($make)),)*
                _ => None,
            }
        }
    };
}

// The word after `loom` says how calls are placed. `2+2` are I/O threads and compute threads.
contenders! {
    "tokio" Reference [Calls Decisions Http] Inline::new();
    "block_in_place" Reference [Calls] BlockInPlace::new();
    "spawn_blocking" Peer [Calls Pairs Http] SpawnBlocking::new();
    "rayon + oneshot" Peer [Calls Pairs] RayonOneshot::new();
    "tokio-rayon 2+2" Peer [Calls Pairs Http Neighbours] TokioRayon::with(2);
    "tokio-rayon 1+1" Peer [Calls Http Neighbours] TokioRayon::with(1);
    "async-scoped" Peer [Pairs] AsyncScoped::new();
    "loom-rs" Peer [Calls Pairs Decisions Http] LoomRs::new();
    "loom" Loom [Calls Decisions Http Neighbours] LoomAdaptive::new();
    "loom attribute" Loom [Decisions] LoomAttribute::new();
    "loom normal" Loom [Neighbours] LoomAdaptive::normal();
    "loom by size" Loom [Http] LoomSized::new();
    "loom offload" Loom [Calls Http] LoomCompute::new();
    "loom offload split" Loom [Calls] LoomCompute::split();
    "loom scope" Loom [Pairs] LoomScope::new(false);
    "loom scope owned" Loom [Pairs] LoomScope::new(true);
    "bare 2 threads" Bare [Calls] Bare::beside_tokio();
    "bare in loom" Bare [Calls] Bare::within_loom();
    "bare in loom split" Bare [Calls] Bare::within_split_loom();
}

/// The contenders of one bench.
pub(crate) fn of(bench: Bench) -> Vec<&'static Entry> {
    ALL.iter().filter(|entry| entry.benches.contains(&bench)).collect()
}
