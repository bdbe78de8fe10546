//! Where a poll goes.

use crate::bridge::nested_polls;
use crate::config::Override;
use crate::core::{Core, Function, thread_stats};
use crate::scheduler::{Arm, Decision, Mode, Reason, Site, Wake};
use crate::sync::Arc;

use super::super::decide::{CallInfo, decide};
use super::super::overriding;

/// So many polls may be nested on a thread: a function that awaits itself, and so on. Each takes stack, up to
/// some kilobytes in a build without optimisation.
pub(super) const DEEPEST: u32 = 48;
/// Of so many polls that their wakes would send to the pool, one goes to the task, which decides anew.
const ONE_ASKS: u64 = 16;

/// The function that is polled: its site, and the class of the first poll.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) site: &'static Site,
    pub(crate) first: u8,
}

impl Family {
    /// The class of polls after this wake.
    #[inline]
    pub(crate) fn class(self, wake: Wake) -> u8 {
        self.first + wake as u8
    }

    /// What is known of polls after this wake.
    pub(crate) fn function(self, core: &Core, wake: Wake) -> &Arc<Function> {
        core.function(self.site, self.class(wake))
    }

    /// What concerns the polls after any wake.
    pub(crate) fn all(self, core: &Core) -> &Arc<Function> {
        self.function(core, Wake::Begin)
    }

    /// Whether this thread's verdict is that the poll runs here, unmeasured. `is_first`: also whether no
    /// polls of the function went to the pool lately.
    #[inline]
    pub(crate) fn is_settled(self, core: &Core, wake: Wake, is_first: bool) -> bool {
        let index = self.site.index(self.class(wake));
        if is_first {
            thread_stats::is_settled_if(core, index, |function| function.pooled.is_empty())
        } else {
            thread_stats::is_settled(core, index)
        }
    }

    /// Whether the poll would be nested so deep that it goes to the pool, where the stack is new.
    pub(crate) fn is_deep(core: &Core) -> bool {
        nested_polls() >= DEEPEST && core.compute_threads > 0
    }

    /// Decides where the task's poll runs.
    pub(crate) fn decide(self, core: &Arc<Core>, info: CallInfo, wake: Wake) -> Decision {
        let decision = decide(core, CallInfo { class: self.class(wake), ..info });
        if decision.reason != Reason::Retest && decision.reason != Reason::OnComputeThread {
            self.all(core).pooled.set(wake, decision.arm == Arm::OffloadRayon);
        }
        decision
    }

    /// Whether a wake sends the poll to the pool, without asking the task.
    pub(crate) fn goes_straight(self, core: &Core, wake: Wake) -> bool {
        if core.compute_threads == 0 {
            return false;
        }
        let function = self.function(core, wake);
        let Override { mode, .. } = overriding::of(core, function);
        let forced = match mode.unwrap_or_else(|| self.site.mode()) {
            Mode::Adaptive => core.forced.get().copied(),
            mode => mode.forced_arm(),
        };
        match forced {
            Some(arm) => arm == Arm::OffloadRayon,
            // Where calls wait, the task weighs that.
            None => {
                self.all(core).pooled.contains(wake)
                    && !function.record.is_asked(ONE_ASKS)
                    && core.queue.waiting() <= core.compute_threads
            }
        }
    }
}
