//! The words in arguments and files for the variants of the runtime's enums.

/// The words for the variants of `ComputeHint`, and the variants.
pub(crate) const HINTS: (&[&str], &[&str]) =
    (&["low", "medium", "high", "unknown"], &["Low", "Medium", "High", "Unknown"]);

/// The same for `Mode`.
pub(crate) const MODES: (&[&str], &[&str]) =
    (&["adaptive", "offload", "inline", "observe"], &["Adaptive", "Offload", "Inline", "Observe"]);
/// The same for `Priority`.
pub(crate) const PRIORITIES: (&[&str], &[&str]) =
    (&["low", "normal", "high"], &["Low", "Normal", "High"]);
