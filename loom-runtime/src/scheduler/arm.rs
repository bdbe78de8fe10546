//! The two places where a call can run, and the hint and mode that a programmer can give for it.

use std::fmt;

/// Where a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// On the calling thread, usually an I/O worker.
    InlineTokio,
    /// On a thread of the compute pool.
    OffloadRayon,
}

impl Arm {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::InlineTokio => Self::OffloadRayon,
            Self::OffloadRayon => Self::InlineTokio,
        }
    }
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
/// A hint is a starting point, not an order: it decides the first calls, and its weight falls
/// with each measurement.
///
/// ```
/// use loom::ComputeHint;
/// assert_eq!(ComputeHint::default(), ComputeHint::Unknown);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ComputeHint {
    /// Below 50 µs: probably worth running inline.
    Low,
    /// 50 to 500 µs: borderline.
    Medium,
    /// Above 500 µs: surely worth offloading.
    High,
    /// Nothing is known; the first call is offloaded and measured.
    #[default]
    Unknown,
}

impl ComputeHint {
    /// The hints, in the order of their classes.
    pub(crate) const ALL: [Self; 4] = [Self::Unknown, Self::Low, Self::Medium, Self::High];

    /// The class of calls with this hint, where calls are learned apart by their hints.
    #[inline]
    pub(crate) fn class(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        }
    }
}

/// How it is decided where the calls of a function run: `mode = "…"` of its attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The scheduler decides, from its measurements.
    #[default]
    Adaptive,
    /// Calls are always offloaded, except calls that are made on a compute thread, which run
    /// there.
    Offload,
    /// Calls always run inline.
    Inline,
    /// Calls always run inline, and the scheduler counts those that it would have offloaded.
    Observe,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] = [Self::Adaptive, Self::Offload, Self::Inline, Self::Observe];

    /// The arm that this mode forces, if any.
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
