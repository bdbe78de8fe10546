//! The public interface of a runtime: how a program builds it, uses it and ends it.
//!
//! Owns the builder, the handle, the free functions, and the functions that `#[loom::main]` and
//! `#[loom::test]` call to run a body. It does not decide where a call runs, and owns no protocol.

mod builder;
mod clock;
mod decisions;
mod describe;
mod ending;
mod entry;
mod figures;
mod futures;
mod handle;
#[cfg(all(test, not(loom_model)))]
mod hostile_tests;
mod in_place;
mod inner;
mod local;
#[cfg(feature = "fleet")]
mod membership;
mod named;
mod overrides;
#[cfg(feature = "prometheus")]
mod registry;
mod scopes;
mod shielded;
#[cfg(feature = "signal")]
mod signal;
mod spawn;
mod start;
mod streams;
mod tokio_names;

pub use builder::LoomBuilder;
pub use ending::StillRunning;
pub use entry::{
    run_main, run_plain_test, run_plain_test_on_both, run_test, run_test_on_both, test_builder,
};
pub use futures::{
    spawn_adaptive_future, spawn_compute_future, try_spawn_adaptive_future,
    try_spawn_compute_future,
};
pub use handle::LoomRuntime;
pub use in_place::block_in_place;
#[cfg(all(feature = "plugin", feature = "plugin-host"))]
pub(crate) use inner::EndsExtension;
#[cfg(any(feature = "dashboard", feature = "plugin", feature = "plugin-host"))]
pub(crate) use inner::Inner;
#[cfg(feature = "fleet")]
pub use membership::Membership;
pub use named::{RuntimeRef, on};
pub use overrides::override_function;
pub use scopes::{scope_adaptive, scope_adaptive_with_hint, scope_compute, scope_compute_with};
#[cfg(feature = "signal")]
pub use signal::shutdown_signal;
pub use spawn::{
    block_on, current_runtime, spawn, spawn_adaptive, spawn_adaptive_with_hint, spawn_async,
    spawn_blocking, spawn_compute, spawn_compute_with_priority, try_spawn_adaptive,
    try_spawn_compute, try_spawn_compute_with_priority,
};
