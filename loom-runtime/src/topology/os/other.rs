//! Systems other than Linux. On Windows and macOS, Loom binds threads to one CPU and leaves the
//! rest of their placement to the system; elsewhere it leaves all of it to the system.
//!
//! On macOS the binding is a hint to the scheduler, which the system may refuse.

use std::cell::Cell;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Class, CpuTicks};
use crate::sync::OnceLock;
use crate::topology::{ComputePriority, CpuSet};

/// The CPU to which the calling thread was bound. Windows reports no mask of a thread, and what
/// macOS takes is a hint.
pub(crate) fn affinity() -> io::Result<CpuSet> {
    BOUND.get().map(|cpu| std::iter::once(cpu).collect()).ok_or_else(|| unsupported(NO_MASK))
}

/// The CPUs of the process.
pub(crate) fn affinity_of_main_thread() -> io::Result<CpuSet> {
    all_cpus().ok_or_else(|| unsupported(NO_MASK))
}

/// Binds the calling thread to one CPU. More than one are granted if they are all of the process's.
pub(crate) fn set_affinity(cpus: &CpuSet) -> io::Result<()> {
    let [cpu] = *cpus.as_slice() else {
        let is_all = BOUND.get().is_none() && all_cpus().is_some_and(|all| all.is_subset(cpus));
        return if is_all { Ok(()) } else { Err(unsupported(ONE_OR_ALL)) };
    };
    bind(cpu)?;
    if cfg!(windows) {
        BOUND.set(Some(cpu));
    }
    Ok(())
}

thread_local! {
    static BOUND: Cell<Option<usize>> = const { Cell::new(None) };
}

const NO_MASK: &str = "this system does not report on which CPUs a thread may run";
const ONE_OR_ALL: &str =
    "Loom binds a thread to one CPU on this system, or leaves it on all CPUs of the process";

fn unsupported(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

#[cfg(any(target_os = "macos", windows))]
fn bind(cpu: usize) -> io::Result<()> {
    let beyond = "Loom binds threads only to CPUs of the first processor group on this system";
    super::pin::pin(cpu).unwrap_or_else(|| Err(unsupported(beyond)))
}

#[cfg(not(any(target_os = "macos", windows)))]
fn bind(_cpu: usize) -> io::Result<()> {
    Err(unsupported("Loom binds no threads on this system"))
}

#[cfg(any(target_os = "macos", windows))]
fn all_cpus() -> Option<CpuSet> {
    let ids = core_affinity::get_core_ids()?;
    // Windows reports none for a process in several processor groups.
    (!ids.is_empty()).then(|| ids.into_iter().map(|core| core.id).collect())
}

#[cfg(not(any(target_os = "macos", windows)))]
fn all_cpus() -> Option<CpuSet> {
    None
}

pub(crate) fn count_allowed(is_wanted: impl Fn(usize) -> bool) -> io::Result<usize> {
    affinity().map(|cpus| cpus.as_slice().iter().filter(|cpu| is_wanted(**cpu)).count())
}

pub(crate) fn affinity_of(_thread: u32) -> Option<CpuSet> {
    None
}

pub(crate) fn cpu_time_of_process() -> Option<Duration> {
    None
}

pub(crate) fn cpu_time_of_thread() -> Option<Duration> {
    None
}

pub(crate) fn use_of_thread() -> Option<(Duration, u64)> {
    None
}

pub(crate) fn current_cpu() -> Option<usize> {
    None
}

static START: OnceLock<Instant> = OnceLock::new();
/// Nanoseconds.
const TICK: u128 = 4_000_000;

pub(crate) fn tick() -> u64 {
    let ticks = START.get_or_init(Instant::now).elapsed().as_nanos() / TICK;
    u64::try_from(ticks).unwrap_or(0)
}

pub(crate) fn passed_since(tick: u64) -> Duration {
    let since = START.get_or_init(Instant::now).elapsed();
    let latest = u64::try_from((u128::from(tick) + 1).saturating_mul(TICK)).unwrap_or(u64::MAX);
    since.saturating_sub(Duration::from_nanos(latest))
}

/// A thread that is bound to one CPU is not bound to several again, so it stays where it is.
pub(crate) fn move_to(_cpu: usize, _cpus: &CpuSet) -> bool {
    true
}

pub(crate) fn set_priority(wanted: ComputePriority) -> io::Result<()> {
    match wanted {
        ComputePriority::Normal => Ok(()),
        _ => Err(unsupported("Loom sets no priorities on this system")),
    }
}

pub(crate) fn class() -> Class {
    Class { is_idle: false, nice: 0, base_nice: 0 }
}

pub(crate) fn each_thread(_f: impl FnMut(u32)) {}

pub(crate) fn is_idle(_thread: u32) -> bool {
    false
}

pub(crate) fn each_child_of(_thread: u32, _f: impl FnMut(u32)) {}

pub(crate) fn name_of(_thread: u32) -> Option<String> {
    None
}

pub(crate) fn be_named_as_the_process() {}

pub(crate) fn no_more_threads() -> io::Error {
    io::Error::other("the system has no more threads")
}

pub(crate) fn thread_id() -> Option<u32> {
    None
}

/// There are none.
#[derive(Debug)]
pub(crate) enum ThreadFiles {}

impl ThreadFiles {
    pub(crate) fn open(_thread: u32) -> Option<Self> {
        None
    }

    pub(crate) fn times(&self) -> Option<[Duration; 2]> {
        match *self {}
    }

    pub(crate) fn is_runnable(&self) -> bool {
        match *self {}
    }

    #[cfg(feature = "dashboard")]
    pub(crate) fn last_cpu(&self) -> Option<usize> {
        match *self {}
    }
}

pub(crate) fn cpu_time_of(_thread: u32) -> Option<Duration> {
    None
}

pub(crate) fn cpu_ticks() -> Vec<CpuTicks> {
    Vec::new()
}

pub(crate) fn reset_on_exec(_command: &mut Command, _cpus: &CpuSet) {}
