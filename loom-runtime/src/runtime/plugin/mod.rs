//! The side of a library that uses the runtime of the program that has loaded it.
//!
//! Owns what such a library has of its own (a tokio runtime for its sockets and timers, a rayon
//! pool on the host's threads) and how its tasks find them on threads that are the host's. How
//! things cross is `boundary`'s.

mod attach;
mod attached;
mod current;
mod detach;
mod export;
mod host;
mod start;
mod task;
mod within;

pub use attach::{Attach, AttachError, attach};
pub use attached::{Attached, BlockOnError, SpawnError, block_in_place, current, spawn};
pub(crate) use current::{current as current_core, start_keeper, with as with_current};
pub use detach::{StillAttached, detach, live};
pub use export::{Start, exported};
pub use host::{Host, Sleep};
pub use task::JoinHandle;
pub use within::{TokioContext, Within};
pub(crate) use {attached::block_on, task::proxied};
