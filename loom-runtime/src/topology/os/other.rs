//! Systems other than Linux: Loom leaves the placement of threads to the system.

use std::io;
use std::process::Command;
use std::time::Instant;

use super::{Class, TimeOnCpu};
use crate::sync::OnceLock;
use crate::topology::{ComputePriority, CpuSet};

pub(crate) fn affinity() -> io::Result<CpuSet> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn affinity_of_main_thread() -> io::Result<CpuSet> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn set_affinity(_cpus: &CpuSet) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn current_cpu() -> Option<usize> {
    None
}

pub(crate) fn tick() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    const TICK: u128 = 4_000_000;
    let ticks = START.get_or_init(Instant::now).elapsed().as_nanos() / TICK;
    u64::try_from(ticks).unwrap_or(0)
}

pub(crate) fn move_to(_cpu: usize, _cpus: &CpuSet) {}

pub(crate) fn set_priority(wanted: ComputePriority) -> io::Result<()> {
    match wanted {
        ComputePriority::Normal => Ok(()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub(crate) fn class() -> Class {
    Class { is_idle: false, nice: 0, base_nice: 0 }
}

pub(crate) fn no_more_threads() -> io::Error {
    io::Error::other("the system has no more threads")
}

pub(crate) fn thread_id() -> Option<u32> {
    None
}

pub(crate) fn time_on_cpu(_thread: u32) -> Option<TimeOnCpu> {
    None
}

#[cfg(feature = "dashboard")]
pub(crate) fn cpu_ticks() -> Vec<super::CpuTicks> {
    Vec::new()
}

pub(crate) fn reset_on_exec(_command: &mut Command, _cpus: &CpuSet) {}
