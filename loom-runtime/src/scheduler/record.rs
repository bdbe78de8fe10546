//! The measurements of one function in one runtime, shared by its threads.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock, PoisonError};

use super::decide::{Conditions, Costs};
use super::knobs::MabKnobs;
use super::looks::{Looks, Run, Waits};
use super::overhead::SHORTEST as LEAST_OVERHEAD;
use super::ratio::Ratio;
use super::times::{LITTLE, Summary, Times};
use super::verdict::{Kept, Verdict};
use super::{Arm, ComputeHint};

/// The weights fade once per this many samples, so that most samples do not pay for it.
const FADE_EVERY: u64 = 32;
/// The largest factor between the arms that is believed.
pub(super) const MOST_APART: f64 = 4.0;
/// A sample counts as new if this part of the remembered weight differs much in size. A smaller
/// part is the other half of a mixture.
const NEW: f64 = 0.65;
/// From this variety on no sample counts as new: the function has many sizes, which recur.
const VARIED: f64 = 0.4;
/// Above this faded ratio of new samples the function has changed.
const CHANGED: f64 = 0.8;
/// From this run time on, in nanoseconds, a single new inline sample ends all verdicts at once.
const LONG_IF_NEW: f64 = 10e3;
/// The factor for the old weights of a function that has changed.
const MEMORY_OF_CHANGED: f64 = 0.005;
/// After this many measured inline calls in a row without a long one, the long calls on the pool
/// are forgotten: a function with one long call in a hundred has most likely had one by then.
const CLEAN: u32 = 200;
/// Every call is measured until there are this many samples.
const FEW_SAMPLES: u64 = 16;
/// The run time, in nanoseconds, that pays for a measurement: a hundred times its cost.
const PAYS_FOR_MEASUREMENT: f64 = 50e3;
/// One more than the largest number of settled calls in a row. A tick of the cheap clock ends such
/// a row too, so calls that suddenly take long are noticed after one or two, or five if they took less than a
/// microsecond.
const LONGEST_SETTLED: f64 = 8192.0;
/// At most one call in this many is a re-test; and the share of the time that re-tests may cost.
const RETEST_CALLS: u64 = 256;
const RETEST_TIME: f64 = 1.0 / 128.0;
/// The fewest samples that are worth a line in a profile.
const WORTH_KEEPING: u64 = 4;
/// The assumed deviation of one sample, as a share of the mean: few samples can hide so much.
pub(super) const DOUBT: f64 = 0.5;

/// The measurements of one function in one runtime; for one size of input, if calls state a size.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Run times inline, and on the compute pool.
    pub(super) inline: Times,
    pub(super) offload: Times,
    /// The run time on the pool over that inline.
    pub(super) ratio: Ratio,
    looks: Looks,
    /// Whether the arms run different code, so that neither says anything about the other.
    pub(super) is_apart: bool,
    /// Run times recorded so far.
    samples: AtomicU64,
    /// Measured calls so far, each of which stands for one or more calls.
    measured: AtomicU64,
    /// Calls since the last re-test.
    unproven: AtomicU64,
    /// Strikes, and the millisecond of that count.
    strikes: AtomicU64,
    /// The faded ratio of new samples, as a float.
    novelty: AtomicU32,
    /// Inline calls in a row that were within the limit of GR1.
    clean: AtomicU32,
    /// Changes when all threads must draw their verdicts again.
    epoch: AtomicU32,
    /// The profile's entry: shares of the calls, and run times in nanoseconds.
    pub(super) prior: OnceLock<Vec<(f64, f64)>>,
    /// The last verdict that was drawn, for reports.
    drawn: Mutex<Option<Kept>>,
}

impl Record {
    /// A record for arms that run different code.
    pub(super) fn apart() -> Self {
        Self { is_apart: true, ..Self::default() }
    }

    /// Whether what a thread uses during a run is to be read that is expected to take so long, in
    /// nanoseconds.
    pub(crate) fn wants_look(&self, arm: Arm, expected: f64) -> bool {
        self.samples.load(Ordering::Relaxed) < FEW_SAMPLES
            || self.looks.is_due(expected, arm == Arm::OffloadRayon)
    }

    /// Records how long a call took.
    pub(crate) fn observe(&self, knobs: &MabKnobs, arm: Arm, run: Run, now: u64) {
        let (times, other) = match arm {
            Arm::InlineTokio => (&self.inline, &self.offload),
            Arm::OffloadRayon => (&self.offload, &self.inline),
        };
        let is_new = |nanos: f64| times.novelty(nanos) > NEW && times.variety() < VARIED;
        let is_unusual = |nanos: f64| {
            nanos >= LONG_IF_NEW && is_new(nanos) && times.median().is_some_and(|it| nanos > it)
        };
        let Some((nanos, before)) = self.looks.own(run, is_unusual) else {
            // The next call is measured, and looked at.
            self.strike(knobs, arm, run.nanos(), now);
            return self.end_verdicts();
        };
        let is_new = is_new(nanos);
        let has_changed = self.is_changing(knobs, is_new);
        if has_changed {
            times.fade(MEMORY_OF_CHANGED);
            if !self.is_apart {
                other.fade(MEMORY_OF_CHANGED);
                self.ratio.forget();
            }
        }
        if !self.is_apart {
            self.compare(arm, nanos);
        }
        before.into_iter().chain([nanos]).for_each(|nanos| times.record(nanos));
        let samples = self.samples.fetch_add(1, Ordering::Relaxed) + 1;
        if samples.is_multiple_of(FADE_EVERY) {
            #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
            let factor = knobs.decay.powi(FADE_EVERY as i32);
            times.fade(factor);
            // An arm that is learned apart is remembered until it is tried again.
            if !self.is_apart {
                other.fade(factor);
            }
        }
        self.strike(knobs, arm, nanos, now);
        let is_inline = arm == Arm::InlineTokio;
        let is_too_long = nanos >= knobs.t_block_hard_us * 1e3;
        if is_inline {
            self.clear(knobs, is_too_long);
        }
        // Ending the verdicts makes each thread measure its next call, so a change shows sooner.
        let may_have_changed = is_new && nanos >= LONG_IF_NEW;
        if has_changed || is_inline && (may_have_changed || is_too_long) {
            self.end_verdicts();
        }
    }

    /// Counts a strike, if the call is one.
    fn strike(&self, knobs: &MabKnobs, arm: Arm, nanos: f64, now: u64) {
        let is_too_long = nanos >= knobs.t_strike_us * 1e3;
        if arm == Arm::InlineTokio && knobs.enable_strikes && is_too_long {
            let strikes = self.strikes(knobs, now) + 1.0;
            self.strikes.store(stamped(strikes, now), Ordering::Relaxed);
        }
    }

    /// Compares a sample of the arm that is tried less often with what is usual on the other one.
    fn compare(&self, arm: Arm, nanos: f64) {
        let (rare, other) = match arm {
            Arm::InlineTokio => (&self.inline, &self.offload),
            Arm::OffloadRayon => (&self.offload, &self.inline),
        };
        // Of a mixture, a sample and the median need not be alike.
        if nanos <= 0.0 || rare.weight() > other.weight() || other.variety() >= VARIED {
            return;
        }
        let Some(usual) = other.median().filter(|usual| *usual > 0.0) else { return };
        let ratio = if arm == Arm::OffloadRayon { nanos / usual } else { usual / nanos };
        self.ratio.note(ratio, MOST_APART);
    }

    /// Makes all threads draw their verdicts again.
    pub(crate) fn end_verdicts(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Records whether an inline call was too long for GR1. After many that were not, the long
    /// calls on the pool are forgotten.
    fn clear(&self, knobs: &MabKnobs, is_too_long: bool) {
        let clean = if is_too_long { 0 } else { self.clean.load(Ordering::Relaxed) + 1 };
        let is_clear = clean >= CLEAN;
        self.clean.store(if is_clear { 0 } else { clean }, Ordering::Relaxed);
        // Only if GR1 may keep the function away; otherwise the pool's times would be lost for no
        // gain.
        if is_clear
            && !self.is_apart
            && self.offload.above(knobs.t_block_hard_us * 1e3) > LITTLE
            && self.offload.summary().weight > self.inline.summary().weight
        {
            self.offload.fade(MEMORY_OF_CHANGED);
        }
    }

    /// Records whether a sample is new; true if so many were new that the function has changed.
    fn is_changing(&self, knobs: &MabKnobs, is_new: bool) -> bool {
        let before = f64::from(f32::from_bits(self.novelty.load(Ordering::Relaxed)));
        let after = before + (f64::from(u8::from(is_new)) - before) * knobs.ema_alpha;
        let has_changed = after > CHANGED;
        #[expect(clippy::cast_possible_truncation, reason = "a share, which needs few digits")]
        let kept = if has_changed { 0.0 } else { after as f32 };
        self.novelty.store(kept.to_bits(), Ordering::Relaxed);
        has_changed
    }

    /// Whether this is one of the first calls, which are offloaded if they may be long.
    pub(super) fn is_explored(&self, knobs: &MabKnobs, hint: ComputeHint) -> bool {
        matches!(hint, ComputeHint::High | ComputeHint::Unknown)
            && self.prior.get().is_none()
            && self.measured.load(Ordering::Relaxed) < u64::from(knobs.hint_exploration_count)
    }

    pub(super) fn strikes(&self, knobs: &MabKnobs, now: u64) -> f64 {
        let word = self.strikes.load(Ordering::Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
        let (strikes, then) = (f32::from_bits((word >> 32) as u32), word as u32);
        if strikes <= 0.0 {
            return 0.0;
        }
        let passed = milliseconds(now).wrapping_sub(then);
        // Another thread may have read the clock a little later.
        let passed = if passed > u32::MAX / 2 { 0 } else { passed };
        f64::from(strikes) * knobs.strike_decay.powf(f64::from(passed))
    }

    /// Counts a measured call that stands for `calls` calls. Returns the number of measured calls
    /// before it.
    pub(super) fn count_look(&self, calls: u64) -> u64 {
        let before = self.measured.fetch_add(1, Ordering::Relaxed);
        self.unproven.fetch_add(calls, Ordering::Relaxed);
        before
    }

    /// Counts a call on the pool that nobody decides anew.
    pub(crate) fn count_unasked(&self) {
        self.count_look(1);
    }

    /// Whether the next call is one of those that are decided anew, one in so many.
    pub(crate) fn is_asked(&self, one_in: u64) -> bool {
        self.measured.load(Ordering::Relaxed).is_multiple_of(one_in)
    }

    /// Whether this call should take the other arm, to measure its cost anew.
    pub(super) fn is_retest(
        &self,
        arm: Arm,
        conditions: &Conditions,
        costs: Costs,
        run_time: f64,
    ) -> bool {
        let calls = self.unproven.load(Ordering::Relaxed);
        if calls < RETEST_CALLS {
            return false;
        }
        let others = costs.inline - run_time;
        let price = match arm {
            _ if self.is_apart => costs.on(arm.other()) - costs.on(arm),
            Arm::InlineTokio => {
                let is_fresh = conditions.is_overhead_fresh();
                // An inline call that delays other tasks by less gains nothing from the bridge.
                let may_show_overhead = !is_fresh && others >= LEAST_OVERHEAD;
                // The pool may be the faster arm, as for parallel work, by no more than the call takes.
                let may_be_faster = run_time > conditions.overhead.mean + conditions.queue;
                if !may_show_overhead && !may_be_faster {
                    return false;
                }
                conditions.overhead.mean + conditions.queue
            }
            Arm::OffloadRayon => others,
        };
        let time = if self.is_apart { costs.on(arm) } else { run_time };
        #[expect(clippy::cast_precision_loss, reason = "a number of calls")]
        let earned = calls as f64 * time * RETEST_TIME;
        let is_retest = earned >= price;
        if is_retest {
            self.unproven.store(0, Ordering::Relaxed);
        }
        is_retest
    }

    /// How many calls may be settled after a measured one.
    pub(super) fn calls_until_look(&self, run_time: f64) -> u64 {
        if self.samples.load(Ordering::Relaxed) < FEW_SAMPLES {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and `LONGEST_SETTLED`"
        )]
        let calls = (PAYS_FOR_MEASUREMENT / run_time.max(1.0)).clamp(1.0, LONGEST_SETTLED) as u64;
        calls - 1
    }

    #[inline]
    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Takes over a profile's entry: shares of the calls, and run times in nanoseconds. Done before
    /// the first call of the function.
    pub(crate) fn prime(&self, parts: &[(f64, f64)]) {
        // A record is made once, so no other thread sets it.
        let _ = self.prior.set(parts.to_vec());
    }

    /// What a profile keeps: weights, and run times in nanoseconds; `None` with too few samples.
    pub(crate) fn learned(&self) -> Option<Vec<(f64, f64)>> {
        let (inline, offload) = (self.inline.summary(), self.offload.summary());
        let factor = self.factor(&inline, &offload);
        if self.samples.load(Ordering::Relaxed) < WORTH_KEEPING {
            return None;
        }
        let offload = self.offload.parts().map(|(weight, nanos)| (weight, nanos / factor));
        Some(self.inline.parts().chain(offload).collect())
    }

    #[cfg(test)]
    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// How often its threads waited.
    pub(crate) fn waits(&self) -> Waits {
        self.looks.waits()
    }

    /// The summaries of both arms: inline, and on the pool.
    pub(crate) fn summaries(&self) -> [Summary; 2] {
        [self.inline.summary(), self.offload.summary()]
    }

    /// The mean run time on both arms, without hint and profile, in nanoseconds; `None` before the first call.
    pub(crate) fn mean(&self) -> Option<f64> {
        let [inlined, pooled] = self.summaries();
        let weight = inlined.weight + pooled.weight;
        (weight > 0.0)
            .then(|| (inlined.weight * inlined.mean + pooled.weight * pooled.mean) / weight)
    }

    /// Keeps a verdict for reports, unless another thread keeps one just now.
    pub(super) fn keep(&self, verdict: Kept) {
        if let Ok(mut kept) = self.drawn.try_lock() {
            *kept = Some(verdict);
        }
    }

    /// The last verdict that was drawn.
    pub(crate) fn verdict(&self, now: u64) -> Option<Verdict> {
        let kept = (*self.drawn.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(Verdict::of(&kept, self.summaries(), self.waits(), now))
    }
}

/// Wraps around after 49 days, which makes old strikes count once more for some milliseconds.
fn milliseconds(now: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "it may wrap around")]
    let milliseconds = (now / 1_000_000) as u32;
    milliseconds
}

fn stamped(strikes: f64, now: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
    let strikes = strikes as f32;
    u64::from(strikes.to_bits()) << 32 | u64::from(milliseconds(now))
}
