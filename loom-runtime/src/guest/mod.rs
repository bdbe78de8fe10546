//! A runtime whose I/O side is another library's: its tasks, and the threads that wait for them.
//!
//! Owns what tasks need to run on a host's workers, and how a host's threads are used. Attaching to
//! a host and leaving it is `plugin`'s; how things cross is `boundary`'s.

mod block_on;
mod task;
mod threads;
mod within;

pub use block_on::BlockOnError;
pub(crate) use block_on::block_on;
pub use task::JoinHandle;
pub(crate) use task::{proxied, spawn};
pub(crate) use threads::start_keeper;
pub use within::Within;
