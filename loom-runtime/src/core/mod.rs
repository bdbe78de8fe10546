//! What the threads, jobs and handles of one runtime share.
//!
//! Owns the state of a runtime ([`Core`]): counters, lifecycle, records of functions, estimates,
//! and which runtime a thread belongs to. It starts no thread and submits no call. It knows neither
//! the handle that users hold nor plug-ins: higher modules store their state for a runtime in
//! fields of its core.

#[cfg(feature = "plugin")]
pub(crate) mod attached;
mod backlog;
pub(crate) mod beside;
mod compute_ids;
pub(crate) mod compute_thread;
mod conditions;
pub(crate) mod context;
mod drainer_cpus;
#[cfg(feature = "plugin-host")]
mod extension;
#[cfg(feature = "fleet")]
mod far;
mod function;
mod gate;
mod held;
mod installs;
mod io_side;
mod knocks;
pub(crate) mod lifecycle;
mod live_budget;
pub(crate) mod local_core;
mod overrides;
mod owner;
mod paused;
mod pools;
mod pressure;
#[cfg(feature = "tower")]
pub(crate) mod route;
mod run_times;
#[cfg(all(test, loom_shuttle))]
mod schedules;
mod shared;
mod slow_polls;
mod spares;
mod spot;
mod stopwatch;
pub(crate) mod thread_stats;
mod token_bucket;
mod watched;
mod withheld;

pub(crate) use compute_ids::ComputeIds;
pub use context::EnterGuard;
pub(crate) use drainer_cpus::DrainerCpu;
#[cfg(feature = "plugin-host")]
pub(crate) use extension::Extension;
#[cfg(feature = "fleet")]
pub use far::{
    Calling, Failure, FleetError, FleetFunction, Refused, Request, Response, Serving, Transport,
};
pub(crate) use function::{Function, inline, nanos};
pub(crate) use gate::{Gate, Permit};
pub(crate) use lifecycle::{Admitted, Drained, Refusal};
pub(crate) use live_budget::{Allowed, Pacing};
pub(crate) use local_core::LocalTasks;
pub(crate) use overrides::Rule;
#[cfg(feature = "plugin")]
pub(crate) use owner::Owner;
#[cfg(feature = "plugin")]
pub use owner::TokioContext;
pub(crate) use paused::PauseGuard;
#[cfg(feature = "test-util")]
pub(crate) use paused::PausedTime;
pub(crate) use pools::{Pools, Which};
pub(crate) use run_times::ScopeTimes;
pub(crate) use shared::Core;
pub(crate) use slow_polls::{DEFAULT_LIMIT, OfPlace, Place, SlowPolls, Told};
pub(crate) use spares::Lend;
pub(crate) use spot::{Spot, is_quiet};
pub(crate) use stopwatch::Stopwatch;
pub(crate) use token_bucket::Spent;
