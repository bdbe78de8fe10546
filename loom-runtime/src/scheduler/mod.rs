//! Decides where a call runs: the cost model of `README.md`, beside this file.
//!
//! Owns sites, estimates and the rule. It starts nothing, reads no clock and draws no
//! random number: times are handed in, so that every rule runs in a test without threads.
//! It deliberately does not count or export anything; that is `metrics`.

mod arm;
mod decide;
mod estimate;
mod guard;
mod key;
mod site;
mod table;

pub use arm::{Arm, ComputeHint};
pub(crate) use decide::{Caller, Evidence, LONGEST_OVERHEAD, decide};
pub(crate) use estimate::Estimate;
pub(crate) use guard::RecentlySlow;
pub use key::FunctionKey;
pub use site::Site;
pub(crate) use table::Table;
