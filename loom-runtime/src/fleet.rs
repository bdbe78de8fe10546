//! Calls on other processes: what a transport implements, and what a program sees of it.
//!
//! `#[loom::compute(fleet)]` marks a function whose calls may run elsewhere. A runtime with a
//! [transport](crate::LoomBuilder::fleet) sends a call where the compute pool would take longer: the way, the wait
//! there and the run time there are measured for each function.
//!
//! The package `loom-runtime-fleet` has transports: over NATS, and within a process.
//!
//! # What may happen to a call
//!
//! | what happens | a plain function | an `idempotent` one |
//! | --- | --- | --- |
//! | the other process refuses: it is full, or of another build | runs here | runs here |
//! | arguments or result are too large for a message | arguments: runs here; result: an error | arguments: runs here; result: runs again, here |
//! | there is no other process, or no connection | runs here | runs here |
//! | the other process ends while it has the call | [`FleetError::Lost`] | runs again, here |
//! | the call takes longer than the transport allows | [`FleetError::Expired`] | [`FleetError::Expired`] |
//! | the function panics there | panics with the same message | panics with the same message |
//! | the caller drops the call's future | dropped there if it waits or awaits; a function that runs finishes for nothing | the same |
//!
//! So a plain call runs at most once, and an idempotent one runs at least once where its caller gets a result, which
//! it gets once.

pub use crate::call::far::{Attempt, attempt, spawn_answer};
pub use crate::config::{FleetRole, FleetSettings, FleetUrl};
pub use crate::core::{
    Calling, Failure, FleetError, FleetFunction, Refused, Request, Response, Serving, Transport,
};
pub use crate::observe::FarStats;
pub use crate::runtime::Membership;
pub use crate::scheduler::{FarReason, FarVerdict};

/// The functions of this program with `#[loom::compute(fleet)]`, those of its libraries included.
pub fn functions() -> impl Iterator<Item = &'static FleetFunction> {
    crate::call::far::FLEET.iter()
}
