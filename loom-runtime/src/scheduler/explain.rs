//! A verdict in sentences, each with the verdict's own numbers.

use std::time::Duration;

use super::decide::{Basis, Caller, FEW};
use super::{Arm, Reason, Verdict, Wake};

/// From this share on, an explanation says that a hint or a profile counts beside the measurements.
const SOME: f64 = 0.01;
/// Waits are told of where so many runs were looked at, and this share of them waited.
const LOOKED_AT: u64 = 8;
const MANY: f64 = 0.05;

impl Verdict {
    /// Explains in sentences why calls run on this arm. Each time says whether it was measured, and what
    /// else it is from: during the first measurements, a hint or a profile counts beside them.
    ///
    /// ```
    /// # fn main() -> loom::Result<()> {
    /// # let runtime = loom::LoomBuilder::new().build()?;
    /// runtime.block_on(runtime.spawn_adaptive_with_hint(loom::ComputeHint::Low, || 6 * 7));
    /// let verdict = runtime.functions()[0].verdict.expect("it was called");
    /// println!("{}", verdict.explain());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = self.subject();
        text.push_str(&self.why());
        if self.is_observed && self.arm == Arm::OffloadRayon {
            let unit = self.unit();
            let observes =
                format!(" The function only observes, so its {unit}s run inline all the same.");
            text.push_str(&observes);
        }
        if let Some(waits) = self.waiting() {
            text.push(' ');
            text.push_str(&waits);
        }
        text
    }

    /// Which polls the verdict is about; empty for calls.
    fn subject(&self) -> String {
        let of = |wake: Wake| format!("This is about the function's {}. ", wake.polls());
        self.after.map(of).unwrap_or_default()
    }

    /// What is placed.
    fn unit(&self) -> &'static str {
        if self.after.is_some() { "poll" } else { "call" }
    }

    fn why(&self) -> String {
        let Self { arm, .. } = *self;
        let unit = self.unit();
        match self.reason {
            Reason::Cost if self.is_cheaper() => {
                format!("The {arm} arm is cheaper: {}.", self.costs())
            }
            Reason::Cost => format!(
                "The {arm} arm was drawn although it is not the cheaper one by what is known, since \
                 each arm is tried as often as it may well be the better one: {}.",
                self.costs()
            ),
            Reason::Unknown if self.run_time.is_zero() => format!(
                "The function has not been measured yet, and a wrong offload costs less than a \
                 wrong inline {unit}."
            ),
            Reason::Unknown => format!(
                "The first {unit}s of a function that may be long are offloaded: a wrong offload \
                 costs less than a wrong inline {unit}."
            ),
            Reason::Retest => format!(
                "The {arm} arm is tried again, since its measurements may be out of date: {}.",
                self.costs()
            ),
            Reason::OnComputeThread => {
                format!("The {unit} was made on a compute thread, where it delays no I/O.")
            }
            Reason::NoPool => "There are no compute threads: the system refused them.".to_owned(),
            Reason::Told => "The mode of the function or of the test forces this arm.".to_owned(),
            Reason::Overridden => "An override forces this arm.".to_owned(),
            Reason::LoneWorker => format!("GR0: {}, and {}.", self.lone(), self.too_long_or_busy()),
            Reason::HardCap => format!("GR1: {}.", self.too_long()),
            Reason::Pressure => format!("GR2: {}, and {}.", self.busy(), self.too_long()),
            Reason::Strikes => format!(
                "GR3: {} strikes are remembered, more than {}. Each is an inline {unit} of {:.0?} or \
                 more; half of them fade in {:.0} ms.",
                rounded_up(self.strikes),
                self.bound,
                self.limit,
                self.half_life
            ),
            Reason::Refused => format!(
                "GR4: an inline {unit} blocked its thread, which tokio refuses on threads that drive \
                 async tasks; all {unit}s since then are offloaded."
            ),
        }
    }

    /// Whether the arm is expected to cost no more than the other one.
    fn is_cheaper(&self) -> bool {
        match self.arm {
            Arm::InlineTokio => self.inline_cost <= self.offload_cost,
            Arm::OffloadRayon => self.offload_cost <= self.inline_cost,
        }
    }

    /// What both arms cost, and why.
    fn costs(&self) -> String {
        let Self { inline_cost, offload_cost, run_time, pool_time, overhead, queue, .. } = *self;
        let delay = inline_cost.saturating_sub(run_time);
        let delay = if delay < Duration::from_nanos(50) {
            String::new()
        } else {
            format!(
                ", and {delay:.1?} for the tasks that wait meanwhile ({:.1} are ready behind it)",
                self.pressure
            )
        };
        let queue =
            if queue.is_zero() { String::new() } else { format!(", and {queue:.1?} in the queue") };
        let way = if self.is_overhead_measured { "measured" } else { "assumed" };
        let unit = self.unit();
        format!(
            "an inline {unit} is expected to cost {inline_cost:.1?}: {run_time:.1?} of its own \
             ({}){delay}; an offloaded {unit} {offload_cost:.1?}: {pool_time:.1?} on the pool ({}), \
             {overhead:.1?} for the way there and back ({way}){queue}",
            self.inline_basis(),
            self.pool_basis()
        )
    }

    fn inline_basis(&self) -> String {
        let basis = match self.basis {
            Basis::Both | Basis::Inline => "measured",
            Basis::Pool if self.after.is_some() => {
                "as measured on the pool; no inline poll is remembered"
            }
            Basis::Pool => "as measured on the pool; no inline call is remembered",
            Basis::Profile => return "by a profile".to_owned(),
            Basis::Hint => return "by its hint".to_owned(),
            Basis::Nothing => return "nothing is known".to_owned(),
        };
        if self.assumed < SOME {
            return basis.to_owned();
        }
        format!("{basis}; its hint or a profile counts for {:.0} %", self.assumed * 100.0)
    }

    fn pool_basis(&self) -> &'static str {
        match self.basis {
            Basis::Both | Basis::Pool if self.assumed < SOME => "measured",
            Basis::Both | Basis::Pool => "measured in part",
            _ => "as inline",
        }
    }

    /// Why no other thread runs what waits for the caller.
    fn lone(&self) -> String {
        match self.caller {
            Caller::LocalCore => "no other thread runs the tasks of this local core".to_owned(),
            Caller::Outside => {
                "the caller belongs to no tokio runtime, so how many threads run its tasks is not \
                 known"
                    .to_owned()
            }
            _ => "the runtime that called has one I/O worker".to_owned(),
        }
    }

    fn busy(&self) -> String {
        let (ready, bound) = (rounded_up(self.pressure), self.bound);
        format!("{ready} tasks are ready behind each {}, more than {bound}", self.unit())
    }

    fn too_long_or_busy(&self) -> String {
        if self.pressure > self.bound { self.busy() } else { self.too_long() }
    }

    /// The mean, or the share of calls, that is above the limit.
    fn too_long(&self) -> String {
        let Self { run_time, limit, .. } = *self;
        let unit = self.unit();
        if run_time >= limit {
            return format!(
                "a {unit} takes {run_time:.1?} on average ({}), and none of {limit:.0?} or more runs \
                 on an I/O worker",
                self.inline_basis()
            );
        }
        let place = match (self.reason, self.has_inline_tail) {
            (Reason::HardCap, false) => format!(" (no inline {unit} as long is remembered)"),
            _ => String::new(),
        };
        format!(
            "{} % of the {unit}s take {limit:.0?} or more{place}, and {} % may on an I/O worker",
            rounded_up(self.tail * 100.0),
            FEW * 100.0
        )
    }

    /// What to know of waits, where there are many.
    fn waiting(&self) -> Option<String> {
        let super::Waits { looked_at, waited, mean } = self.waits;
        #[expect(clippy::cast_precision_loss, reason = "numbers of about a thousand")]
        let is_told = looked_at >= LOOKED_AT && waited as f64 > looked_at as f64 * MANY;
        is_told.then(|| {
            format!(
                "It waits: of {looked_at} runs that were looked at, the threads of {waited} gave up \
                 their CPU, for {mean:.1?} each, as for a lock, a file or another thread. On an I/O \
                 worker nothing else runs meanwhile; work that waits more than it computes belongs to \
                 `spawn_blocking`."
            )
        })
    }
}

/// With two digits, and not rounded down to what it is more than.
fn rounded_up(number: f64) -> f64 {
    (number * 100.0).ceil() / 100.0
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
