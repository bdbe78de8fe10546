//! The allowed values of settings; the same checks apply to every source.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{LoomError, Result};
use crate::topology::CpuSet;

use super::functions::check_name;
use super::settings::{FUNCTIONS, Given, Settings};
use super::words::{
    EXPECTED_CALLS, EXPECTED_CORES, EXPECTED_SLOW_POLL, EXPECTED_SPARES, EXPECTED_STACK,
    EXPECTED_THREADS,
};

/// A larger number is taken for a mistake: no machine can use so many threads.
const THREADS: RangeInclusive<usize> = 1..=8192;
/// Zero, the default, is allowed too.
const CORES: RangeInclusive<usize> = 0..=1024;
/// The pool and its spares have at most 2047 threads that run calls.
const SPARES: RangeInclusive<usize> = 1..=1024;
/// A smaller stack is too small for tokio's and rayon's own frames; a larger one is taken for a
/// mistake.
const STACK: RangeInclusive<usize> = 128 << 10..=4 << 30;
/// More waiting calls would take gigabytes.
const CALLS: RangeInclusive<usize> = 1..=16_777_216;
/// Leaves space for the role and the number in a debugger's column, in bytes.
const LONGEST_PREFIX: usize = 64;
/// A shorter limit would be met by nearly every poll, and a longer one by none.
const SLOW_POLLS: RangeInclusive<Duration> = Duration::from_micros(10)..=Duration::from_secs(3600);
/// A longer time-out is taken for a mistake in the unit.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

impl Settings {
    /// Checks that the value of every setting is allowed.
    pub(crate) fn check(&self) -> Result<()> {
        check("tokio_threads", self.tokio_threads.as_ref(), |n| threads(*n))?;
        check("rayon_threads", self.rayon_threads.as_ref(), |n| threads(*n))?;
        check("local_cores", self.local_cores.as_ref(), |n| cores(n.0))?;
        check("stack_size", self.stack_size.as_ref(), |bytes| stack(bytes.0))?;
        check("max_spares", self.max_spares.as_ref(), |n| spares(n.0))?;
        check("prefix", self.prefix.as_ref(), |prefix| prefix_is_a_name(prefix))?;
        check("cpuset", self.cpuset.as_ref(), |list| CpuSet::parse(list).map(|_| ()))?;
        check("compute_queue", self.compute_queue.as_ref(), |queue| calls(queue.0))?;
        check("slow_poll", self.slow_poll.as_ref(), |limit| slow_poll(limit.0))?;
        check("shutdown_timeout", self.shutdown_timeout.as_ref(), timeout)?;
        check("profile", self.profile.as_ref(), |path| file_has_a_name(path))?;
        #[cfg(feature = "fleet")]
        self.fleet.iter().try_for_each(|Given { value, source }| value.check(source))?;
        self.functions.iter().try_for_each(|Given { value: (name, over), source }| {
            check_name(name).map_err(|remedy| LoomError::InvalidSetting {
                setting: FUNCTIONS,
                value: format!("\"{name}={over}\""),
                source_of_value: source.clone(),
                remedy,
            })
        })
    }
}

/// Checks one value; the error names the value's source.
fn check<T: Debug>(
    setting: &'static str,
    given: Option<&Given<T>>,
    rule: impl Fn(&T) -> Result<(), String>,
) -> Result<()> {
    let Some(Given { value, source }) = given else { return Ok(()) };
    rule(value).map_err(|remedy| LoomError::InvalidSetting {
        setting,
        value: format!("{value:?}"),
        source_of_value: source.clone(),
        remedy,
    })
}

fn threads(n: usize) -> Result<(), String> {
    if THREADS.contains(&n) { Ok(()) } else { Err(EXPECTED_THREADS.to_owned()) }
}

fn cores(n: usize) -> Result<(), String> {
    if CORES.contains(&n) { Ok(()) } else { Err(EXPECTED_CORES.to_owned()) }
}

fn spares(n: usize) -> Result<(), String> {
    if SPARES.contains(&n) { Ok(()) } else { Err(EXPECTED_SPARES.to_owned()) }
}

fn stack(bytes: usize) -> Result<(), String> {
    if STACK.contains(&bytes) { Ok(()) } else { Err(EXPECTED_STACK.to_owned()) }
}

fn calls(n: usize) -> Result<(), String> {
    if CALLS.contains(&n) { Ok(()) } else { Err(EXPECTED_CALLS.to_owned()) }
}

fn slow_poll(limit: Option<Duration>) -> Result<(), String> {
    let is_allowed = limit.is_none_or(|limit| SLOW_POLLS.contains(&limit));
    if is_allowed { Ok(()) } else { Err(EXPECTED_SLOW_POLL.to_owned()) }
}

fn prefix_is_a_name(prefix: &str) -> Result<(), String> {
    if prefix.is_empty() {
        Err("expected a name for the threads: leave it out to get `loom`".to_owned())
    } else if prefix.len() > LONGEST_PREFIX {
        Err(format!("expected at most {LONGEST_PREFIX} bytes, found {}", prefix.len()))
    } else if prefix.chars().any(char::is_control) {
        Err("expected no control characters, since it becomes part of thread names".to_owned())
    } else {
        Ok(())
    }
}

fn file_has_a_name(path: &str) -> Result<(), String> {
    if path.is_empty() {
        Err("expected the name of a file; leave it out to use no profile".to_owned())
    } else {
        Ok(())
    }
}

fn timeout(limit: &Duration) -> Result<(), String> {
    if *limit <= LONGEST_TIMEOUT { Ok(()) } else { Err("expected at most `24h`".to_owned()) }
}
