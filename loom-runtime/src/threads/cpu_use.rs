//! How the CPUs of compute threads were used between two readings.

use std::time::{Duration, Instant};

use crate::core::{ComputeIds, Core};
use crate::topology::CpuSet;
use crate::topology::os::{self, CpuTicks};

use super::priority_choice::CpuUse;

/// What the CPUs did until now.
pub(super) struct CpuReading {
    pub(super) at: Instant,
    /// Those that compute threads may use at this moment.
    cpus: Vec<CpuTicks>,
    /// The CPU time of the compute threads of all runtimes.
    ran: Duration,
}

impl CpuReading {
    pub(super) fn now(core: &Core, at: Instant) -> Self {
        let allowed: CpuSet = core
            .compute_placements
            .iter()
            .flat_map(|placement| placement.cpus_now().as_slice().to_vec())
            .collect();
        let mut cpus = os::cpu_ticks();
        cpus.retain(|ticks| allowed.contains(ticks.cpu));
        Self { at, cpus, ran: ComputeIds::cpu_time_of_all() }
    }

    /// What the CPUs of both readings did in between. `None` if there is no such CPU; zero if the
    /// system does not say what its CPUs do.
    #[expect(clippy::cast_precision_loss, reason = "clock ticks, and a number of CPUs")]
    pub(super) fn since(&self, before: &Self) -> Option<CpuUse> {
        if self.cpus.is_empty() {
            return Some(CpuUse { all: 0.0, compute: 0.0 });
        }
        let (mut cpus, mut busy, mut all) = (0_usize, 0, 0);
        for now in &self.cpus {
            let Some(then) = before.cpus.iter().find(|then| then.cpu == now.cpu) else { continue };
            cpus += 1;
            busy += now.busy.saturating_sub(then.busy);
            all += now.all.saturating_sub(then.all);
        }
        let seconds = (self.at - before.at).as_secs_f64() * cpus as f64;
        (cpus > 0).then(|| CpuUse {
            all: busy as f64 / all.max(1) as f64,
            compute: self.ran.saturating_sub(before.ran).as_secs_f64() / seconds,
        })
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn reading(start: Instant, seconds: u64, cpus: &[(usize, u64)]) -> CpuReading {
        let at = start + Duration::from_secs(seconds);
        let ticks = |&(cpu, busy)| CpuTicks { cpu, busy, all: 1000 + 100 * seconds };
        CpuReading {
            at,
            cpus: cpus.iter().map(ticks).collect(),
            ran: Duration::from_millis(500 * seconds),
        }
    }

    #[test]
    fn only_cpus_of_both_readings_count() {
        let start = Instant::now();
        let before = reading(start, 0, &[(0, 900), (1, 100)]);
        let since = |cpus: &[_]| {
            let used = reading(start, 1, cpus).since(&before);
            used.map(|used| format!("{:.2} {:.2}", used.all, used.compute))
        };
        assert_eq!(since(&[(0, 1000), (1, 150)]).as_deref(), Some("0.75 0.25"));
        assert_eq!(since(&[(1, 200)]).as_deref(), Some("1.00 0.50"), "a CPU has gone");
        let more = [(0, 1000), (1, 200), (2, 0), (3, 0)];
        assert_eq!(since(&more).as_deref(), Some("1.00 0.25"), "two have come");
        assert_eq!(since(&[(7, 0)]), None, "no CPU is the same");
        assert_eq!(since(&[]).as_deref(), Some("0.00 0.00"), "nothing can be read");
    }
}
