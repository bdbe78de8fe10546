//! What other programs took of the CPUs while the demo ran: its columns are of different times.

use std::fs;

/// Above this share the columns compare little.
const MUCH: f64 = 0.1;

/// CPU time so far, in the ticks of `/proc`.
pub(super) struct Ticks {
    /// Of all CPUs, and the part of it in which they were busy.
    all: u64,
    busy: u64,
    /// Of this program and its runs that have ended.
    own: u64,
}

impl Ticks {
    /// `None` on systems without `/proc`.
    pub(super) fn so_far() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let ticks = stat.lines().next()?.split_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = ticks.map_while(|ticks| ticks.parse().ok()).collect();
        let all = ticks.iter().sum();
        // The fourth and fifth are idle time, and idle time while a disk works.
        let idle = ticks.get(3)? + ticks.get(4)?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name, in brackets, may have blanks. Four times follow eleven fields.
        let fields = own.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
        let own = fields.map_while(|ticks| ticks.parse::<u64>().ok()).sum();
        Some(Self { all, busy: all - idle, own })
    }

    /// A remark, if others took much of the CPUs since then.
    pub(super) fn remark(&self) -> Option<String> {
        let now = Self::so_far()?;
        let others = (now.busy - self.busy).saturating_sub(now.own - self.own);
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = others as f64 / (now.all - self.all).max(1) as f64;
        (share > MUCH).then(|| {
            format!(
                "Other programs took {:.0} % of the CPUs meanwhile, so the columns compare\n\
                 little: run it again on a quiet machine.",
                100.0 * share
            )
        })
    }
}
