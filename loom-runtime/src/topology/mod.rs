//! Which CPUs the process may use, and which thread goes where.
//!
//! Owns the description of the machine, the core budget, the placement plan (a pure
//! function of budget and request) and the system calls that put a plan into effect for
//! the calling thread.
//! It starts no thread and keeps no state but the mask that was found first: `runtime`
//! calls it from the threads it starts.

mod budget;
mod cgroup;
mod cpu_set;
mod machine;
pub(crate) mod os;
mod plan;
#[cfg(test)]
mod plan_tests;
mod settings;
mod thread_plan;

pub(crate) use budget::CoreBudget;
pub(crate) use cpu_set::CpuSet;
pub(crate) use plan::{Plan, Request};
pub use settings::{ComputePriority, Pin, Placement};
pub(crate) use thread_plan::{Role, ThreadPlacement, ThreadPlan};
