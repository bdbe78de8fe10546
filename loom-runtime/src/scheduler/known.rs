//! What is known of a function: measurements, profile and hint, taken together.

use super::ComputeHint;
use super::decide::{Basis, Known};
use super::knobs::MabKnobs;
use super::overhead::Belief;
use super::record::{DOUBT, MOST_APART, Record};
use super::times::{LITTLE, Summary};

/// The samples that each arm needs before the two are compared, and the largest ratio between their
/// numbers: the samples of an arm that is rarely tried are old.
const COMPARABLE: f64 = 8.0;
const COMPARABLE_RATIO: f64 = 4.0;
/// How many samples a profile counts for.
const PRIMED: f64 = 8.0;

impl Record {
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
            basis: Basis::of(&inline, &offload, !prior.is_empty(), hinted.is_some()),
            assumed: 1.0,
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
        known.assumed = 1.0 - measured / all;
        let mean = (mean * weight + prior.1 * prior.0) / all;
        let square = (square * weight + prior.1 * prior.1 * prior.0) / all;
        let variance = (square - mean * mean).max((mean * DOUBT).powi(2) / all);
        known.run_time = Some(Belief { mean, deviation: (variance / all).sqrt() });
        known.square = square;
        known
    }

    /// `f`: the run time on the pool over that inline. By medians, which a few very long calls do
    /// not move, where both arms are tried about equally often.
    pub(super) fn factor(&self, inline: &Summary, offload: &Summary) -> f64 {
        let (less, more) = (inline.weight.min(offload.weight), inline.weight.max(offload.weight));
        if less < COMPARABLE || more > less * COMPARABLE_RATIO {
            return self.ratio.mean();
        }
        match (self.inline.median(), self.offload.median()) {
            (Some(inline), Some(offload)) if inline > 0.0 => {
                (offload / inline).clamp(1.0 / MOST_APART, MOST_APART)
            }
            _ => 1.0,
        }
    }
}
