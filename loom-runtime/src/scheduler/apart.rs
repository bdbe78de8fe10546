//! What is known of a function whose arms run different code: each arm's time is its own.
//!
//! The record itself, and what it forgets, is in `record.rs`.

use super::ComputeHint;
use super::decide::{Basis, Known};
use super::knobs::MabKnobs;
use super::overhead::Belief;
use super::record::{DOUBT, Record};
use super::times::{LITTLE, Summary, Times};

impl Record {
    /// [`known`](Record::known) for arms that are learned apart. An arm without samples is believed
    /// to take as long as the other one, with much doubt.
    pub(super) fn known_apart(&self, knobs: &MabKnobs, hint: ComputeHint, now: u64) -> Known {
        let (inline, pool) = (self.inline.summary(), self.offload.summary());
        let doubted = |of: Belief| Belief { mean: of.mean, deviation: of.mean.max(of.deviation) };
        let of_pool = belief(&pool);
        let of_inline = belief(&inline).or(of_pool.map(doubted));
        // A hint is one more sample, which fades with each measurement, on either arm.
        let trust = knobs.hint_trust_threshold;
        let left = (1.0 - (inline.weight + pool.weight) / trust).max(0.0);
        let (run_time, assumed) = match (of_inline, knobs.prior(hint)) {
            (Some(of), Some(hinted)) if left > 0.0 => {
                let samples = inline.weight.max(1.0);
                let mean = (of.mean * samples + hinted * left) / (samples + left);
                let deviation = of.deviation.max((mean - of.mean).abs());
                (Some(Belief { mean, deviation }), left / (samples + left))
            }
            (None, Some(mean)) => (Some(Belief { mean, deviation: mean * DOUBT }), 1.0),
            (of, _) => (of, 0.0),
        };
        // Inline decides whether other tasks are delayed. Before its first sample, the pool's
        // samples stand for it.
        let (times, summary): (&Times, _) =
            if inline.weight > LITTLE { (&self.inline, inline) } else { (&self.offload, pool) };
        let tail = |cap_us: f64| {
            if summary.weight > 0.0 { times.above(cap_us * 1e3) / summary.weight } else { 0.0 }
        };
        let caps =
            [knobs.t_tiny_inline_us, knobs.t_block_hard_us, knobs.t_inline_under_pressure_us];
        Known {
            run_time,
            basis: Basis::of(&inline, &pool, false, run_time.is_some()),
            assumed,
            square: if inline.weight > LITTLE { inline.square } else { 0.0 },
            factor: 1.0,
            pool: of_pool.or(run_time.map(doubted)),
            tails: caps.map(tail),
            has_inline_tail: self.inline.above(knobs.t_block_hard_us * 1e3) > LITTLE,
            strikes: self.strikes(knobs, now),
            is_explored: self.is_explored(knobs, hint),
        }
    }
}

/// What the samples of an arm say; `None` if there are almost none.
fn belief(of: &Summary) -> Option<Belief> {
    if of.weight <= LITTLE {
        return None;
    }
    let variance = (of.square - of.mean * of.mean).max((of.mean * DOUBT).powi(2) / of.weight);
    Some(Belief { mean: of.mean, deviation: (variance / of.weight).sqrt() })
}
