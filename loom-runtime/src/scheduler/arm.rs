//! The two places a call can run at, and what a programmer can say about it beforehand.

use std::fmt;

/// Where a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// On the thread that asks, usually an I/O worker.
    InlineTokio,
    /// On a thread of the compute pool.
    OffloadRayon,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InlineTokio => "inline",
            Self::OffloadRayon => "offload",
        })
    }
}

/// What a function is expected to cost.
///
/// A hint is a starting point, not an order: it decides the first calls and weighs less
/// with each measurement.
///
/// ```
/// use loom::ComputeHint;
/// assert_eq!(ComputeHint::default(), ComputeHint::Unknown);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ComputeHint {
    /// Under 50 µs: probably worth running inline.
    Low,
    /// 50 to 500 µs: borderline.
    Medium,
    /// Over 500 µs: surely worth offloading.
    High,
    /// Nothing is known; the first call is offloaded and measured.
    #[default]
    Unknown,
}

/// Who decides where the calls of a function run: `mode = "…"` of its attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The scheduler, by what it has measured.
    #[default]
    Adaptive,
    /// They are always offloaded, but for those that are made on a compute thread, which run
    /// there.
    Offload,
    /// They always run inline.
    Inline,
    /// They always run inline, and the scheduler counts those that it would have offloaded.
    Observe,
}

impl Mode {
    /// The arm that it leaves no choice of.
    pub(crate) fn forced_arm(self) -> Option<Arm> {
        match self {
            Self::Adaptive | Self::Observe => None,
            Self::Offload => Some(Arm::OffloadRayon),
            Self::Inline => Some(Arm::InlineTokio),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adaptive => "adaptive",
            Self::Offload => "offload",
            Self::Inline => "inline",
            Self::Observe => "observe",
        })
    }
}
