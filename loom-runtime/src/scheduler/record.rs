//! The measurements of one function in one runtime, shared by its threads.

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::decide::{Conditions, Costs, Known};
use super::drawn::Drawn;
use super::knobs::MabKnobs;
use super::overhead::{Belief, SHORTEST as LEAST_OVERHEAD};
use super::times::{Summary, Times};
use super::verdict::Verdict;
use super::{Arm, ComputeHint, Reason};

/// The weights fade once per this many samples, so that most samples do not pay for it.
const FADE_EVERY: u64 = 32;
/// The samples that each arm needs before the two are compared, and the largest ratio between their
/// numbers: the samples of an arm that is rarely tried are old.
const COMPARABLE: f64 = 8.0;
const COMPARABLE_RATIO: f64 = 4.0;
/// The largest factor between the arms that is believed.
const MOST_APART: f64 = 4.0;
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
/// A weight below this counts as none.
pub(super) const LITTLE: f64 = 0.1;
/// After this many measured inline calls in a row without a long one, the long calls on the pool
/// are forgotten: a function with one long call in a hundred has most likely had one by then.
const CLEAN: u32 = 200;
/// Every call is measured until there are this many samples.
const FEW_SAMPLES: u64 = 16;
/// The run time, in nanoseconds, that pays for a measurement: a hundred times its cost.
const PAYS_FOR_MEASUREMENT: f64 = 50e3;
/// One more than the largest number of settled calls in a row. A tick of the cheap clock ends such
/// a row too, so calls that suddenly take long are noticed after one or two.
const LONGEST_SETTLED: f64 = 8192.0;
/// At most one call in this many is a re-test; and the share of the time that re-tests may cost.
const RETEST_CALLS: u64 = 256;
const RETEST_TIME: f64 = 1.0 / 128.0;
/// After how long, in nanoseconds, a measurement of the bridge is out of date.
const STALE: u64 = 100_000_000;
/// How many samples a profile counts for.
const PRIMED: f64 = 8.0;
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
    /// Whether the arms run different code, so that neither says anything about the other.
    is_apart: bool,
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
    prior: OnceLock<Vec<(f64, f64)>>,
    drawn: Drawn,
}

impl Record {
    /// A record for arms that run different code.
    pub(super) fn apart() -> Self {
        Self { is_apart: true, ..Self::default() }
    }

    /// Records how long a call took.
    pub(crate) fn observe(&self, knobs: &MabKnobs, arm: Arm, nanos: f64, now: u64) {
        let (times, other) = match arm {
            Arm::InlineTokio => (&self.inline, &self.offload),
            Arm::OffloadRayon => (&self.offload, &self.inline),
        };
        let is_new = times.novelty(nanos) > NEW && times.variety() < VARIED;
        let has_changed = self.is_changing(knobs, is_new);
        if has_changed {
            times.fade(MEMORY_OF_CHANGED);
            if !self.is_apart {
                other.fade(MEMORY_OF_CHANGED);
            }
        }
        times.record(nanos);
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
        let is_inline = arm == Arm::InlineTokio;
        if is_inline && knobs.enable_strikes && nanos >= knobs.t_strike_us * 1e3 {
            let strikes = self.strikes(knobs, now) + 1.0;
            self.strikes.store(stamped(strikes, now), Ordering::Relaxed);
        }
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

    /// What is known: the measurements, the profile and the hint.
    pub(crate) fn known(&self, knobs: &MabKnobs, hint: ComputeHint, now: u64) -> Known {
        if self.is_apart {
            return self.known_apart(knobs, hint, now);
        }
        let (inline, offload) = (self.inline.summary(), self.offload.summary());
        let factor = self.factor(&inline, &offload);
        let measured = inline.weight + offload.weight;
        // Each sample takes weight from the profile. The profile adds to the tails, but it is no
        // evidence of an inline tail.
        let prior = self.prior.get().map_or(&[][..], Vec::as_slice);
        let left = if prior.is_empty() { 0.0 } else { (PRIMED - measured).max(0.0) };
        let of_prior = |part: fn(f64) -> f64| -> f64 {
            prior.iter().map(|(share, nanos)| share * part(*nanos)).sum::<f64>() * left
        };
        let weight = measured + left;
        let pooled = |inline_part: f64, offload_part: f64, prior_part: f64| {
            (inline.weight * inline_part + offload.weight * offload_part + prior_part) / weight
        };
        let hinted = knobs.prior(hint);
        let mut known = Known {
            run_time: hinted.map(|mean| Belief { mean, deviation: mean * DOUBT }),
            square: hinted.unwrap_or_default().powi(2),
            factor,
            pool: None,
            tails: [0.0; 3],
            has_inline_tail: false,
            strikes: self.strikes(knobs, now),
            is_explored: self.is_explored(knobs, hint),
        };
        if weight <= 0.0 {
            return known;
        }
        let caps =
            [knobs.t_tiny_inline_us, knobs.t_block_hard_us, knobs.t_inline_under_pressure_us];
        known.tails = caps.map(|cap| {
            let cap = cap * 1e3;
            let above = prior.iter().filter(|(_, nanos)| *nanos >= cap);
            let of_prior = above.map(|(share, _)| share).sum::<f64>() * left;
            (self.inline.above(cap) + self.offload.above(cap * factor) + of_prior) / weight
        });
        known.has_inline_tail = self.inline.above(knobs.t_block_hard_us * 1e3) > LITTLE;
        let mean = pooled(inline.mean, offload.mean / factor, of_prior(|nanos| nanos));
        let square = pooled(
            inline.square,
            offload.square / (factor * factor),
            of_prior(|nanos| nanos * nanos),
        );
        // A hint is one more sample, which fades with each measurement.
        let trust = knobs.hint_trust_threshold;
        let left = if weight < trust { 1.0 - weight / trust } else { 0.0 };
        let prior = hinted.map_or((0.0, 0.0), |mean| (left, mean));
        let all = weight + prior.0;
        let mean = (mean * weight + prior.1 * prior.0) / all;
        let square = (square * weight + prior.1 * prior.1 * prior.0) / all;
        let variance = (square - mean * mean).max((mean * DOUBT).powi(2) / all);
        known.run_time = Some(Belief { mean, deviation: (variance / all).sqrt() });
        known.square = square;
        known
    }

    /// `f`: the run time on the pool over that inline. By medians, which a few very long calls do
    /// not move.
    fn factor(&self, inline: &Summary, offload: &Summary) -> f64 {
        let (less, more) = (inline.weight.min(offload.weight), inline.weight.max(offload.weight));
        if less < COMPARABLE || more > less * COMPARABLE_RATIO {
            return 1.0;
        }
        match (self.inline.median(), self.offload.median()) {
            (Some(inline), Some(offload)) if inline > 0.0 => {
                (offload / inline).clamp(1.0 / MOST_APART, MOST_APART)
            }
            _ => 1.0,
        }
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
                let is_fresh = conditions.overhead_age.is_some_and(|age| age < STALE);
                // An inline call that delays other tasks by less gains nothing from the bridge.
                if is_fresh || others < LEAST_OVERHEAD {
                    return false;
                }
                conditions.overhead.mean
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

    /// The summaries of both arms: inline, and on the pool.
    pub(crate) fn summaries(&self) -> [Summary; 2] {
        [self.inline.summary(), self.offload.summary()]
    }

    /// Keeps a verdict for reports.
    pub(super) fn keep(
        &self,
        verdict: (Arm, Reason),
        conditions: &Conditions,
        costs: Costs,
        now: u64,
    ) {
        self.drawn.keep(verdict, conditions, costs, now);
    }

    /// The last verdict that was drawn.
    pub(crate) fn verdict(&self, now: u64) -> Option<Verdict> {
        Some(Verdict::of(self.drawn.kept()?, self.summaries(), now))
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
