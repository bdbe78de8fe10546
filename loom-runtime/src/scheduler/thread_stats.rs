//! One thread's part of a record: its verdict, and for how many calls the verdict stands.

use crate::sync::atomic::{AtomicU64, Ordering};

use super::decide::{Conditions, Costs, draw, order};
use super::knobs::MabKnobs;
use super::record::Record;
use super::verdict::Kept;
use super::{Arm, ComputeHint, Reason};

// The word, from the highest bits: the record's epoch and the runtime's pressure level when the
// verdict was drawn, the arm, how often in a row it was drawn, the number of the record's measured
// call at which it was drawn, and how many calls are settled before the next measured call.
const TAGS: u32 = 32;
const INLINE: u64 = 1 << 31;
const STREAK: u32 = 24;
const DRAWN_AT: u32 = 16;
const CALLS: u64 = 0xffff;
/// Of a call that takes less than a microsecond, so that more than `FEW` settled calls are left, one in
/// `CALLS_PER_TICK` reads the clock, which is a large part of what a settled call costs (`loom-bench decide`).
const CALLS_PER_TICK: u64 = 4;
const FEW: u64 = 50;
/// A verdict that was drawn many times in a row stands for `2^LONGEST_STREAK` measured calls.
const LONGEST_STREAK: u64 = 4;

/// The time and the pressure level when a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Verdicts are drawn again when it changes.
    pub(crate) pressure_level: u32,
    /// Nanoseconds.
    pub(crate) now: u64,
    /// The time of a clock that is cheap to read and moves in steps.
    pub(crate) tick: u64,
}

/// The decision on one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) arm: Arm,
    pub(crate) reason: Reason,
    /// How many calls this measured call stands for: itself and the settled calls before it.
    pub(crate) calls: u64,
    /// How long the call is expected to take, in nanoseconds.
    pub(crate) expected: f64,
    /// What it is expected to cost on the pool: its run time there, the way, and the queue.
    #[cfg(feature = "fleet")]
    pub(crate) on_pool: f64,
    /// Whether it would have been offloaded, but runs inline since its function observes.
    pub(crate) is_withheld: bool,
}

/// Written by one thread alone, or by several threads, each of which may overwrite another's
/// count.
///
/// `Relaxed` everywhere: only the words themselves are shared.
#[derive(Debug)]
pub(crate) struct ThreadStats {
    word: AtomicU64,
    /// The tick of the last measured call.
    tick: AtomicU64,
    /// Calls that ran inline, and how many of them were reported to the record.
    inline: AtomicU64,
    counted: AtomicU64,
    random: AtomicU64,
}

impl ThreadStats {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            word: AtomicU64::new(0),
            tick: AtomicU64::new(0),
            inline: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            // Zero is the one state that a generator of this kind never leaves.
            random: AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        }
    }

    /// Whether this call is settled: it runs inline and is not measured. The usual case. `tick` reads the
    /// clock.
    #[expect(clippy::inline_always, reason = "it is most of what a settled call does")]
    #[inline(always)]
    pub(crate) fn is_settled(
        &self,
        record: &Record,
        pressure_level: u32,
        tick: impl FnOnce() -> u64,
    ) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        // A tick that passed since the last measured call may have passed during a settled call,
        // which was not timed.
        let is_settled = word >> TAGS == tags(record, pressure_level)
            && word & INLINE != 0
            && word & CALLS > 0
            && (word & CALLS > FEW && !word.is_multiple_of(CALLS_PER_TICK)
                || self.tick.load(Ordering::Relaxed) == tick());
        if is_settled {
            self.word.store(word - 1, Ordering::Relaxed);
            self.count_inline();
        }
        is_settled
    }

    /// Decides a measured call, which the caller has to time.
    pub(crate) fn decide(
        &self,
        record: &Record,
        knobs: &MabKnobs,
        conditions: &Conditions,
        hint: ComputeHint,
        Moment { pressure_level, now, tick }: Moment,
    ) -> Decision {
        let known = record.known(knobs, hint, now);
        let made = self.uncounted() + 1;
        let measured = record.count_look(made) & 0xff;
        let word = self.word.load(Ordering::Relaxed);
        let tags = tags(record, pressure_level);
        let before = (word >> TAGS == tags).then_some(word & INLINE != 0);
        let run_time = known.run_time.unwrap_or_default();
        let costs = Costs::expected(knobs, conditions, &known);
        let ordered = order(knobs, conditions, &known);
        let streak = word >> STREAK & 0x7f;
        // Measured calls of all threads are counted together. Otherwise a verdict would stand
        // longer with more threads.
        let passed = measured.wrapping_sub(word >> DRAWN_AT) & 0xff;
        let (arm, reason, streak, drawn) = match (ordered, before) {
            (Some((arm, reason)), _) => (arm, reason, 0, measured),
            // While the pool has become the dearer arm, as by a queue, a verdict to offload ends.
            (None, Some(was_inline))
                if passed < 1 << streak && (was_inline || costs.offload <= costs.inline) =>
            {
                (arm_of(was_inline), Reason::Cost, streak, word >> DRAWN_AT & 0xff)
            }
            (None, before) => {
                let arm = draw(knobs, conditions, &known, run_time, || self.normal());
                let is_same = before == Some(arm == Arm::InlineTokio);
                let streak = if is_same { (streak + 1).min(LONGEST_STREAK) } else { 0 };
                (arm, Reason::Cost, streak, measured)
            }
        };
        self.tick.store(tick, Ordering::Relaxed);
        let is_inline = arm == Arm::InlineTokio;
        let may_settle = is_inline && !conditions.is_limited;
        let calls = if may_settle { record.calls_until_look(run_time.mean) } else { 0 };
        let arm_bit = if is_inline { INLINE } else { 0 };
        self.word.store(
            tags << TAGS | arm_bit | streak << STREAK | drawn << DRAWN_AT | calls.min(CALLS),
            Ordering::Relaxed,
        );
        record.keep(Kept::new((arm, reason), knobs, conditions, &known, costs, now));
        let may_err = reason == Reason::Cost || known.may_be_retested_inline(knobs, reason);
        let is_retest = may_err && record.is_retest(arm, conditions, costs, run_time.mean);
        let (arm, reason) = if is_retest { (arm.other(), Reason::Retest) } else { (arm, reason) };
        if arm == Arm::InlineTokio {
            self.count_inline();
            // The record has counted this call already, as part of `made`.
            self.counted.store(self.inline(), Ordering::Relaxed);
        }
        Decision {
            arm,
            reason,
            calls: made,
            expected: run_time.mean,
            #[cfg(feature = "fleet")]
            on_pool: costs.offload,
            is_withheld: false,
        }
    }

    /// Calls of this thread that ran inline.
    #[inline]
    pub(crate) fn inline(&self) -> u64 {
        self.inline.load(Ordering::Relaxed)
    }

    #[inline]
    fn count_inline(&self) {
        self.inline.store(self.inline() + 1, Ordering::Relaxed);
    }

    /// Settled calls since the last measured call.
    fn uncounted(&self) -> u64 {
        let inline = self.inline();
        let counted = self.counted.load(Ordering::Relaxed);
        self.counted.store(inline, Ordering::Relaxed);
        inline.saturating_sub(counted)
    }

    /// A number of about the standard normal distribution: the sum of four uniform ones, at most
    /// 3.5 in size (Irwin, 1927; Hall, 1927).
    fn normal(&self) -> f64 {
        // Marsaglia's xorshift.
        let mut random = self.random.load(Ordering::Relaxed);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.store(random, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "16 bits each")]
        let sum: f64 = (0..4).map(|part| (random >> (16 * part) & 0xffff) as f64 / 65536.0).sum();
        (sum - 2.0) * 3_f64.sqrt()
    }
}

fn arm_of(is_inline: bool) -> Arm {
    if is_inline { Arm::InlineTokio } else { Arm::OffloadRayon }
}

/// The tags of a verdict; it is drawn again when they change.
#[inline]
fn tags(record: &Record, pressure_level: u32) -> u64 {
    // Never zero: a word of zero means that there is no verdict yet.
    u64::from(record.epoch() & 0xffff) << 16 | u64::from(pressure_level % 0xffff + 1)
}
