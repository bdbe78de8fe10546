//! CPU time. By process, since time that neither the load nor the service used is a disturbance.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of the calling thread, or of the process, by this clock.
pub(crate) fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).expect("it is not negative")
}

/// CPU time in clock ticks: the busy time of all processes, and all time.
#[derive(Clone, Copy)]
pub(crate) struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    pub(crate) fn now() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal; user includes guest time.
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).map(|n| n.parse().unwrap_or(0)).collect();
        let all: u64 = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self { busy: all - idle, all })
    }

    /// The share of the machine that other programs took since `since`.
    pub(crate) fn foreign_share(self, since: Self, ours: u64) -> f64 {
        let foreign = (self.busy - since.busy).saturating_sub(ours);
        #[expect(clippy::cast_precision_loss, reason = "ticks far below 2^52")]
        let share = foreign as f64 / (self.all - since.all).max(1) as f64;
        share
    }
}

/// CPU time of all threads of this process that still exist, in nanoseconds.
pub(crate) fn own_nanos() -> io::Result<u64> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let times = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += times.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanos)
}

/// CPU time of the children of this process that have ended.
pub(crate) fn children_ticks() -> io::Result<u64> {
    fields("/proc/self/stat", 13)
}

/// CPU time of one process, its threads included.
pub(crate) fn process_ticks(process: u32) -> io::Result<u64> {
    fields(&format!("/proc/{process}/stat"), 11)
}

/// The sum of two fields of such a file, `skip` fields after the name.
fn fields(file: &str, skip: usize) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    // The name is in parentheses and may hold spaces.
    let after_name = text.rsplit(')').next().unwrap_or_default();
    Ok(after_name.split_whitespace().skip(skip).take(2).map(|n| n.parse().unwrap_or(0)).sum())
}
