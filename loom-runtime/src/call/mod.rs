//! Compute calls: the calls that an attribute, a spawn, a scope or a stream makes from a closure.
//!
//! Owns the placing of a call by the scheduler's decision, the futures that wait for it, and the
//! baggage that goes with it. It starts no threads (`threads` does), and it does not contain the
//! rule that decides (`scheduler` does).

mod accounting;
mod adaptive;
mod attribute;
mod attribute_future;
mod baggage;
mod bounds;
mod compute;
mod cooperate;
mod current;
mod deadline;
mod decide;
mod due;
mod entering;
mod fallible;
#[cfg(feature = "fleet")]
pub mod far;
mod limited;
mod limits;
mod overriding;
mod parallel;
mod polled;
mod refused;
mod scope;
mod spans;
mod spin;
mod stream;
mod submit;
mod through;
mod try_call;
mod turn;
mod way_probe;

#[cfg(all(test, not(loom_model)))]
mod late_thread_tests;
#[cfg(all(test, not(loom_model)))]
mod lifecycle_stress;

pub(crate) use accounting::CallOptions;
pub use adaptive::AdaptiveFuture;
pub(crate) use adaptive::{place, settled, try_place};
pub use attribute::{
    At, call0, call1, call2, call3, call4, call5, call6, call7, call8, call9, call10, call11,
    call12, scoped0, scoped1, scoped2, scoped3, scoped4, scoped5, scoped6, scoped7, scoped8,
    scoped9, scoped10, scoped11, scoped12,
};
pub use attribute_future::{
    future0, future1, future2, future3, future4, future5, future6, future7, future8, future9,
    future10, future11, future12,
};
pub use baggage::Carry;
pub use bounds::{Argument, On, Outcome, magnitude};
pub use compute::{ComputeFuture, is_cancelled};
pub(crate) use compute::{offload, try_offload};
pub use cooperate::{YieldNow, should_yield, yield_now};
pub(crate) use current::{current_core, is_settled};
pub use deadline::{DeadlineExceeded, WithDeadline, deadline, until, with_deadline};
pub(crate) use decide::{CallInfo, would_wait};
pub use fallible::{ComputeError, ComputePanic, TryComputeFuture};
pub(crate) use limits::gate_of;
pub use overriding::Overridden;
pub(crate) use overriding::override_functions;
pub use parallel::Scope;
pub use polled::{SpawnedFuture, TrySpawnedFuture};
pub(crate) use polled::{spawned_future, try_future};
pub use scope::ScopeFuture;
#[cfg(feature = "plugin-host")]
pub(crate) use scope::is_on_a_worker;
pub(crate) use scope::owned as owned_scope;
pub use stream::{AdaptiveMap, ComputeMap, ComputeStreamExt, OnCompute};
pub use try_call::{TryCall, try_call};
