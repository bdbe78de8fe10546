//! Which CPUs the process may use, and on which CPUs each thread runs.
//!
//! Owns the description of the machine, the core budget, the placement plan (a pure
//! function of budget and request) and the system calls that apply a plan to the calling
//! thread.
//! It starts no thread: the threads themselves call it. Its only state is the CPU mask that it
//! found first.

mod budget;
mod cgroup;
mod cpu_set;
mod limits;
mod machine;
pub(crate) mod os;
mod own_idle;
mod plan;
#[cfg(test)]
mod plan_tests;
mod settings;
mod thread_plan;

pub(crate) use budget::CoreBudget;
pub(crate) use cpu_set::CpuSet;
pub(crate) use limits::QuotaFiles;
pub(crate) use own_idle::with_own_idle_threads;
pub(crate) use plan::{Plan, Request};
pub use settings::{ComputePriority, GlobalRayon, Pin, Placement};
pub(crate) use thread_plan::{Role, ThreadPlacement, ThreadPlan};
