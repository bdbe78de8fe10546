//! Compute futures: futures whose polls run on the caller's task or on the pool.
//!
//! Owns the decision on each poll, and what a poll finds around it. The future itself, its wakers and the
//! right to poll it are the bridge's (`bridge/polls`).

mod by_hand;
mod future;
mod host;
mod placing;
mod wake;

pub use by_hand::{SpawnedFuture, TrySpawnedFuture};
pub(crate) use by_hand::{driven_future, spawned_future, try_future};
pub(crate) use future::{Polled, resolve};
pub(crate) use placing::Family;
