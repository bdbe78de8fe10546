//! The report as people read it.

use std::fmt;

use super::super::functions::FunctionStats;
use super::super::slow_polls::SlowPoll;
use super::advice::{brief, counted};
use super::facts::{Report, cost};

/// How many functions and places are printed.
const SHOWN: usize = 10;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Loom's report on `{}`, {} after its start", self.prefix, brief(self.age))?;
        self.runtime(f)?;
        self.functions(f)?;
        self.slow_polls(f)?;
        self.troubles(f)?;
        self.recommendations(f)
    }
}

/// Says that a list goes on.
fn and_more(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    if all > SHOWN { writeln!(f, "  and {} more", all - SHOWN) } else { Ok(()) }
}

impl Report {
    fn runtime(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_budget, cpus, placement, compute_priority, .. } = self;
        let local = match self.local_cores {
            0 => String::new(),
            n => format!(", {}", counted(n as u64, "local core")),
        };
        writeln!(
            f,
            "{}{local}, {}; CPUs {cpus} ({cpu_budget:.2} CPUs' time), placement {placement}, compute \
             priority {compute_priority}",
            counted(self.tokio_threads as u64, "I/O worker"),
            counted(self.rayon_threads as u64, "compute thread"),
        )
    }

    fn functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let called: Vec<_> = self.functions.iter().filter(|it| it.calls() > 0).collect();
        if called.is_empty() {
            return writeln!(f, "\nNo compute function was called.");
        }
        let way = brief(self.bridge_overhead);
        writeln!(
            f,
            "\nFunctions, by the time that they took (the way to the pool and back: {way}):"
        )?;
        for function in called.iter().take(SHOWN) {
            let FunctionStats { name, run_times, .. } = function;
            let [mean, p99] =
                [run_times.mean(), run_times.quantile(0.99)].map(Option::unwrap_or_default);
            writeln!(
                f,
                "  {name}: {} in {} calls, {:.0} % inline; mean {}, p99 {}",
                brief(cost(function)),
                function.calls(),
                function.inline_share().unwrap_or_default() * 100.0,
                brief(mean),
                brief(p99),
            )?;
        }
        and_more(f, called.len())
    }

    fn slow_polls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(limit) = self.slow_poll else {
            return writeln!(f, "\nPolls are not watched (`slow_poll` is off).");
        };
        if self.slow_polls.is_empty() {
            return writeln!(
                f,
                "\nNo poll of a task, observed future or request was seen to take {limit:?}. Requests are \
                 watched behind `SlowPollLayer`, tasks of `tokio::spawn` where `observe` names them."
            );
        }
        writeln!(f, "\nPolls that held their thread for longer than {limit:?}:")?;
        for slow in self.slow_polls.iter().take(SHOWN) {
            let SlowPoll { count, blocked, longest, times, .. } = slow;
            let (longest, all) = (brief(*longest), brief(times.sum()));
            write!(f, "  {slow}: {count} times, {longest} at most, {all} in all")?;
            if *blocked > 0 {
                write!(f, "; {blocked} waited")?;
            }
            writeln!(f)?;
        }
        and_more(f, self.slow_polls.len())
    }

    fn troubles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen: Vec<_> = [
            (self.requests_shed, "requests shed"),
            (self.calls_refused, "calls refused by a full queue"),
            (self.calls_expired, "calls given up for their deadline"),
            (self.starvation_events, "looks that found a compute thread starved"),
            (self.priority_changes, "changes of the compute priority"),
            (self.throttled_periods, "periods in which the quota was used up"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if seen.is_empty() {
            return writeln!(f, "\nNothing was shed, refused, given up or starved.");
        }
        writeln!(f, "\nAlso: {}.", seen.join(", "))
    }

    fn recommendations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.recommendations.is_empty() {
            return writeln!(f, "\nThere is nothing to recommend.");
        }
        writeln!(f, "\nRecommended:")?;
        for (number, it) in self.recommendations.iter().enumerate() {
            writeln!(f, "{}. {}", number + 1, it.what)?;
            writeln!(f, "   because: {}", it.evidence)?;
            writeln!(f, "   write:   {}", it.write)?;
        }
        Ok(())
    }
}
