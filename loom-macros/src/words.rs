//! The words that arguments and files have for variants of the runtime's enums.

/// The variants of `ComputeHint`, by the words for them.
pub(crate) const HINTS: (&[&str], &[&str]) =
    (&["low", "medium", "high", "unknown"], &["Low", "Medium", "High", "Unknown"]);

/// Likewise of `Mode`.
pub(crate) const MODES: (&[&str], &[&str]) =
    (&["adaptive", "offload", "inline", "observe"], &["Adaptive", "Offload", "Inline", "Observe"]);
/// Likewise of `Priority`.
pub(crate) const PRIORITIES: (&[&str], &[&str]) =
    (&["low", "normal", "high"], &["Low", "Normal", "High"]);
