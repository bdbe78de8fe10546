//! A runtime that uses a host's I/O side: its tasks, and the threads that wait for them.
//!
//! Owns what tasks need to run on a host's workers, and how the host's threads are used. It does
//! not attach to a host or leave it (`plugin` does), nor convert what crosses (`boundary` does).

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
