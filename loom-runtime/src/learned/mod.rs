//! Knowledge from outside the current run: profiles, files of hints, and calibration.
//!
//! Owns the files and the errors about them. The scheduler's records hold what is learned while the
//! program runs.

mod calibrate;
#[cfg(feature = "hints")]
pub mod hints;
mod profile;

pub(crate) use calibrate::calibrate;
pub(crate) use profile::ProfileFile;
