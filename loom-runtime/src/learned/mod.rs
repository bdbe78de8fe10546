//! What is known of functions beyond one run: profiles, files of hints, and calibration.
//!
//! Owns the files and what is said of them. What is learned while a program runs is in the
//! scheduler's records.

mod calibrate;
#[cfg(feature = "hints")]
pub mod hints;
mod profile;

pub(crate) use calibrate::calibrate;
pub(crate) use profile::ProfileFile;
