//! Whether a call that leaves its caller's thread goes to the compute pool or to another process, in sentences.

use std::time::Duration;

/// What a call of a function with `fleet` would do if it were made now, and why.
///
/// All times are expected ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FarVerdict {
    /// Whether the call would go to another process.
    pub goes: bool,
    /// The rule that says so.
    pub reason: FarReason,
    /// How long the call would take on this runtime's compute pool. Of a function that awaits, only how long it
    /// would wait for a thread, since how long all its polls take is not known.
    pub here: Duration,
    /// How long it would take on another process, in the same way.
    pub there: Duration,
    /// The part of `here` in the queue.
    pub queue: Duration,
    /// The part of `there` that serialisation and the network take, both ways.
    pub way: Duration,
    /// The part of `there` until a thread is free there.
    pub wait: Duration,
    /// Whether the times there were measured; otherwise they are assumed.
    pub is_measured: bool,
    /// For how long no call goes there, after a failure.
    pub closed: Duration,
}

/// The rule of a [`FarVerdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FarReason {
    /// What takes less time.
    Cost,
    /// The runtime sends all calls that would go to its pool ([`FleetSettings::preferred`]).
    ///
    /// [`FleetSettings::preferred`]: crate::fleet::FleetSettings::preferred
    Preferred,
    /// The call would run inline, which is not compared with other processes.
    Inline,
    /// An override, a mode or a test says where calls run.
    Told,
    /// A call was refused or lost a moment ago.
    Closed,
    /// Nothing is known of the function there yet, and some calls are finding out.
    Tried,
}

impl FarVerdict {
    /// Explains in a sentence, with these numbers.
    #[must_use]
    pub fn explain(&self) -> String {
        let goes = if self.goes {
            "A call that is made now goes to another process"
        } else {
            "A call that is made now does not leave this process"
        };
        let why = match self.reason {
            FarReason::Cost if self.goes => {
                format!("which is expected to be faster: {}", self.costs())
            }
            FarReason::Cost => format!("since that would not be faster: {}", self.costs()),
            FarReason::Preferred => {
                "since all calls do that would go to the compute pool".to_owned()
            }
            FarReason::Inline => "since it is expected to run inline".to_owned(),
            FarReason::Told => "since an override, a mode or a test says where it runs".to_owned(),
            FarReason::Closed => format!(
                "since a call was refused or lost there a moment ago; the next one goes in {:.1?} at the \
                 earliest",
                self.closed
            ),
            FarReason::Tried => {
                "since nothing is known of the function there, and other calls are finding out"
                    .to_owned()
            }
        };
        format!("{goes}, {why}.")
    }

    fn costs(&self) -> String {
        let Self { here, there, queue, way, wait, .. } = self;
        let basis = if self.is_measured { "measured" } else { "assumed" };
        format!(
            "{here:.1?} here, {queue:.1?} of it in the queue; {there:.1?} there, {way:.1?} of it for the way \
             and {wait:.1?} for the wait ({basis})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_rule_has_its_sentence_and_its_numbers() {
        let verdict = FarVerdict {
            goes: true,
            reason: FarReason::Cost,
            here: 9 * MS,
            there: 7 * MS,
            queue: 5 * MS,
            way: 2 * MS,
            wait: MS,
            is_measured: true,
            closed: Duration::ZERO,
        };
        assert_eq!(
            verdict.explain(),
            "A call that is made now goes to another process, which is expected to be faster: 9.0ms here, \
             5.0ms of it in the queue; 7.0ms there, 2.0ms of it for the way and 1.0ms for the wait (measured)."
        );
        let stays = FarVerdict { goes: false, is_measured: false, ..verdict };
        let told = stays.explain();
        assert!(told.contains("does not leave") && told.contains("(assumed)"), "{told}");
        let closed = FarVerdict { reason: FarReason::Closed, closed: 20 * MS, ..stays };
        assert!(closed.explain().contains("in 20.0ms at the earliest"));
    }
}
