//! On which CPUs drainers run, so that no two of them share a CPU while another CPU has none.
//!
//! The kernel hardly ever moves threads of its idle class. Two that woke on one CPU stay there
//! while another CPU idles, and one that woke on the CPU of a busy I/O worker waits for that
//! worker. So each drainer records which CPU it is on, and one that shares its CPU moves to a CPU
//! without a drainer. To move, it sets a mask of one CPU and then the wide mask again, so that the
//! kernel keeps all its choices.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::topology::{CpuSet, os};

/// The least time between two moves of one drainer, since a move costs some microseconds.
const REST: Duration = Duration::from_micros(500);
/// No CPU is crowded.
const NO_CPU: usize = usize::MAX;

#[derive(Debug)]
pub(crate) struct DrainerCpus {
    /// How many drainers are up on each CPU.
    drainers: Box<[AtomicU32]>,
    /// A CPU on which a caller waits for a drainer that runs on the same CPU.
    crowded: AtomicUsize,
}

/// The CPU of one drainer.
pub(crate) struct DrainerCpu<'a> {
    all: &'a DrainerCpus,
    /// The CPUs that the drainer may run on; `None` if the drainer is not moved or counted.
    cpus: Option<&'a CpuSet>,
    /// The CPU on which the drainer is counted.
    cpu: Option<usize>,
    /// When the drainer was moved last.
    moved: Option<Instant>,
}

impl DrainerCpus {
    pub(crate) fn new(budget: &CpuSet) -> Self {
        let cpus = budget.as_slice().last().map_or(0, |last| last + 1);
        let drainers = (0..cpus).map(|_| AtomicU32::new(0)).collect();
        Self { drainers, crowded: AtomicUsize::new(NO_CPU) }
    }

    /// Whether all searching drainers may be on the caller's own CPU. Spinning for them cannot help
    /// then, and the first of them that notices moves to another CPU.
    pub(crate) fn may_all_be_here(&self, searching: usize) -> bool {
        let Some(cpu) = os::current_cpu() else { return false };
        let may_all_be_here =
            self.on(cpu).is_some_and(|on| on.load(Ordering::Relaxed) as usize >= searching);
        if may_all_be_here {
            self.crowded.store(cpu, Ordering::Relaxed);
        }
        may_all_be_here
    }

    fn on(&self, cpu: usize) -> Option<&AtomicU32> {
        self.drainers.get(cpu)
    }

    pub(crate) fn enter<'a>(&'a self, cpus: Option<&'a CpuSet>) -> DrainerCpu<'a> {
        let mut place = DrainerCpu { all: self, cpus, cpu: None, moved: None };
        place.look();
        place
    }
}

impl DrainerCpu<'_> {
    /// Records the CPU on which the calling drainer runs, and moves the drainer if it shares that
    /// CPU with another drainer or a waiting caller.
    pub(crate) fn look(&mut self) {
        let Some(cpus) = self.cpus else { return };
        let now = os::current_cpu();
        if now != self.cpu {
            self.count(now);
        }
        let Some((cpu, on)) = now.and_then(|cpu| Some((cpu, self.all.on(cpu)?))) else {
            return;
        };
        let is_crowded = self.all.crowded.load(Ordering::Relaxed) == cpu;
        if !is_crowded && on.load(Ordering::Relaxed) < 2 {
            return;
        }
        if is_crowded {
            self.all.crowded.store(NO_CPU, Ordering::Relaxed);
        }
        if self.moved.is_some_and(|moved| moved.elapsed() < REST) {
            return;
        }
        let is_free = |cpu| self.all.on(cpu).is_some_and(|on| on.load(Ordering::Relaxed) == 0);
        for target in cpus.as_slice().iter().copied() {
            if !is_free(target) {
                continue;
            }
            // It is counted there first, so that no other drainer moves to the same CPU.
            self.count(Some(target));
            self.moved = Some(Instant::now());
            if os::move_to(target, cpus) {
                break;
            }
            // The system has taken that CPU away.
            self.count(Some(cpu));
        }
    }

    /// Whether a caller waits for this drainer to move.
    pub(crate) fn is_crowded(&self) -> bool {
        self.cpu.is_some_and(|cpu| self.all.crowded.load(Ordering::Relaxed) == cpu)
    }

    fn count(&mut self, cpu: Option<usize>) {
        let on = |cpu: Option<usize>| cpu.and_then(|cpu| self.all.on(cpu));
        if let Some(on) = on(self.cpu) {
            on.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(on) = on(cpu) {
            on.fetch_add(1, Ordering::Relaxed);
        }
        self.cpu = cpu;
    }
}

impl Drop for DrainerCpu<'_> {
    fn drop(&mut self) {
        self.count(None);
    }
}
