//! Decides where a call runs, by the cost model of `README.md` in this folder.
//!
//! Owns sites, the measurements of functions, and the rule that decides. It starts no thread and,
//! except for manual decisions (`manual.rs`), reads no clock: times are passed in, so that every
//! rule runs in a test without threads. Random numbers come from a seed. It deliberately keeps no
//! counters for users and exports nothing; `metrics` does that.

mod apart;
mod arm;
mod calibration;
mod classes;
mod closure;
mod decide;
mod estimate;
mod explain;
#[cfg(feature = "fleet")]
mod far;
#[cfg(feature = "fleet")]
mod far_verdict;
// It simulates millions of calls.
#[cfg(all(test, feature = "fleet", not(any(loom_model, miri))))]
mod far_tests;
mod hints;
mod instance;
mod key;
mod knobs;
mod known;
mod looks;
mod manual;
mod overhead;
mod profile;
mod ratio;
mod reason;
mod recent;
mod record;
mod simulated;
mod site;
mod table;
#[cfg(all(test, not(loom_model)))]
mod tests;
mod thread_stats;
mod times;
mod trie;
mod verdict;
mod wake;

pub use arm::{Arm, ComputeHint, Mode};
pub use calibration::{CalibrationConfig, CalibrationResult};
#[cfg(feature = "fleet")]
pub(crate) use decide::Known;
pub(crate) use decide::{Caller, Conditions};
pub(crate) use estimate::Estimate;
#[cfg(feature = "fleet")]
pub(crate) use far::{FarBelief, FarRecord, FarTimes};
#[cfg(feature = "fleet")]
pub use far_verdict::{FarReason, FarVerdict};
pub use hints::{ComputeHintProvider, Magnitude, hint_of};
pub use key::FunctionKey;
pub use knobs::MabKnobs;
pub use looks::Waits;
pub(crate) use looks::{Run, Used};
pub use manual::{Context, DecisionId, MabScheduler};
pub(crate) use overhead::{Belief, Overhead};
pub(crate) use profile::Profile;
pub use reason::Reason;
pub(crate) use record::Record;
pub use simulated::{SimulatedFunction, Surroundings};
pub(crate) use site::Item;
pub use site::Site;
pub(crate) use table::Table;
pub(crate) use thread_stats::{Decision, Moment, ThreadStats};
#[cfg(all(test, not(loom_model)))]
use times::Times;
pub(crate) use times::duration;
pub(crate) use trie::Trie;
pub use verdict::Verdict;
pub use wake::Wake;
