//! The threads of a runtime: tokio's and rayon's, the drainers on them, and the keeper.
//!
//! Owns how threads are started, placed, watched and ended, which threads may block on what, and
//! the process-wide compute pool. It decides nothing about calls: it only sees a core's queue.

mod alarm;
mod auto_priority;
mod block_on;
pub(crate) mod blocking;
mod bottom;
mod budget_watch;
mod command;
mod compute;
mod cpu_use;
pub(crate) mod drainer;
mod first_overrides;
pub(crate) mod global_rayon;
pub(crate) mod inherited;
mod io;
pub(crate) mod keeper;
mod observed;
mod pace;
mod priority_choice;
mod probe;
pub(crate) mod process_wide;
mod short_wakers;
mod spares;
mod starvation;
pub(crate) mod task;
mod timer;
mod tokio_side;
mod warn;
mod watch;

pub(crate) use alarm::Alarm;
pub(crate) use block_on::{block_on, lending};
pub use command::command_reset;
pub(crate) use compute::start_rayon;
pub(crate) use first_overrides::override_at_start;
#[cfg(feature = "plugin")]
pub(crate) use first_overrides::take_from_environment;
pub(crate) use io::{place_blocking_thread, start_tokio};
pub(crate) use observed::of_no_runtime;
pub use observed::{Observed, observe};
pub(crate) use probe::{await_placed, new_thread, probe};
#[cfg(feature = "plugin")]
pub(crate) use spares::serve;
pub(crate) use spares::{Standing, lend_place};
pub(crate) use task::Tracked;
pub(crate) use timer::Timer;
pub(crate) use tokio_side::{ShutdownWait, TokioSide};
pub(crate) use warn::{say, warn_once};
pub(crate) use watch::{begin_call, install};
