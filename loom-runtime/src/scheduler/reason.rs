//! Why a call runs where it does.

use std::fmt;

/// Why a call was placed where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The arm that was taken is the cheaper one, by what was measured.
    Cost,
    /// Nothing was measured of the function yet, so the arm was taken whose wrong choice costs
    /// less.
    Unknown,
    /// The other arm is tried again, since its measurements may be out of date.
    Retest,
    /// The call was made on a compute thread, where it delays no I/O.
    OnComputeThread,
    /// There is no compute thread.
    NoPool,
    /// The mode of the function or of the test forces the arm.
    Told,
    /// An override forces the arm.
    Overridden,
    /// GR0: the call would block the only I/O worker for too long, or while other tasks are ready.
    LoneWorker,
    /// GR1: the call is longer than an I/O worker may be blocked.
    HardCap,
    /// GR2: the call is longer than an I/O worker may be blocked while this many tasks wait.
    Pressure,
    /// GR3: recent calls took far too long.
    Strikes,
    /// GR4: an inline call blocked its thread, which tokio refused.
    Refused,
}

impl Reason {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::Cost,
        Self::Unknown,
        Self::Retest,
        Self::OnComputeThread,
        Self::NoPool,
        Self::Told,
        Self::Overridden,
        Self::LoneWorker,
        Self::HardCap,
        Self::Pressure,
        Self::Strikes,
        Self::Refused,
    ];

    /// Whether the reason is a guardrail.
    #[must_use]
    pub fn is_guardrail(self) -> bool {
        self.guardrail().is_some()
    }

    /// The number of the guardrail, GR0 to GR4, if it is one.
    pub(crate) fn guardrail(self) -> Option<usize> {
        [Self::LoneWorker, Self::HardCap, Self::Pressure, Self::Strikes, Self::Refused]
            .into_iter()
            .position(|guardrail| guardrail == self)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cost => "cheaper",
            Self::Unknown => "nothing known yet",
            Self::Retest => "tried again",
            Self::OnComputeThread => "on a compute thread",
            Self::NoPool => "no compute threads",
            Self::Told => "forced",
            Self::Overridden => "overridden",
            Self::LoneWorker => "GR0: lone I/O worker",
            Self::HardCap => "GR1: too long for an I/O worker",
            Self::Pressure => "GR2: too long under pressure",
            Self::Strikes => "GR3: far too long lately",
            Self::Refused => "GR4: blocks, which tokio refused inline",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_has_its_place() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        assert_eq!(Reason::ALL.into_iter().filter(|reason| reason.is_guardrail()).count(), 5);
    }
}
