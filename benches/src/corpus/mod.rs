//! `loom-bench corpus`: real functions, each under Loom with the attribute alone, and under each fixed
//! placement, beside requests that call none.

#[cfg(feature = "corpus")]
mod functions;
#[cfg(feature = "corpus")]
mod measure;
#[cfg(feature = "corpus")]
mod program;

#[cfg(feature = "corpus")]
pub(crate) use measure::run;
#[cfg(feature = "corpus")]
pub(crate) use program::{ProgramOptions, program};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the functions whose names contain this.
    #[arg(long, default_value = "")]
    pub(crate) function: String,
    /// In each round, every placement has a turn.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// The seconds of a turn; turns with fewer than forty calls take longer.
    #[arg(long, default_value_t = 0.7)]
    pub(crate) seconds: f64,
}

/// The crates of the functions take long to build, so the bench is there only where it is asked for.
#[cfg(not(feature = "corpus"))]
mod absent {
    use std::error::Error;

    use super::Options;
    use crate::report::Report;

    const ABSENT: &str = "this bench is not built: `cargo run --release --package loom-bench --features corpus \
                          -- corpus`";

    #[derive(clap::Args)]
    pub(crate) struct ProgramOptions;

    pub(crate) fn run(_: &Options) -> Result<Report, Box<dyn Error>> {
        Err(ABSENT.into())
    }

    pub(crate) fn program(_: &ProgramOptions) -> Result<(), Box<dyn Error>> {
        Err(ABSENT.into())
    }
}
#[cfg(not(feature = "corpus"))]
pub(crate) use absent::{ProgramOptions, program, run};
