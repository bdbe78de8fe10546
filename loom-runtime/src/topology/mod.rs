//! Which CPUs the process may use, and which thread goes where.
//!
//! Owns the core budget, the placement plan (a pure function of budget and request) and
//! the system calls that put a plan into effect for the calling thread.
//! It starts no thread and keeps no state: `runtime` calls it from the threads it starts.

mod budget;
mod cpuset;
pub(crate) mod os;
mod plan;

pub(crate) use budget::CoreBudget;
pub(crate) use cpuset::CpuSet;
pub use plan::{ComputePriority, Pin, Placement};
pub(crate) use plan::{Plan, Request, Role, ThreadPlacement};
