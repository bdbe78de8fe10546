//! Why a call runs where it does.

use std::fmt;

/// Why a call was placed where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Whichever arm was taken is the cheaper one, as far as is known.
    Cost,
    /// Nothing is known of the function yet, so a wrong guess should be a cheap one.
    Unknown,
    /// The other arm is tried again, since what is known of it may be out of date.
    Retest,
    /// The call was made on a compute thread, where it holds up no I/O.
    OnComputeThread,
    /// There is no compute thread.
    NoPool,
    /// The function's mode says so, or the test does.
    Told,
    /// GR0: the only I/O worker would be blocked for too long, or has something else to do.
    LoneWorker,
    /// GR1: no I/O worker is blocked for so long.
    HardCap,
    /// GR2: none is while so much is waiting.
    Pressure,
    /// GR3: calls took far too long lately.
    Strikes,
}

impl Reason {
    pub(crate) const ALL: [Self; 10] = [
        Self::Cost,
        Self::Unknown,
        Self::Retest,
        Self::OnComputeThread,
        Self::NoPool,
        Self::Told,
        Self::LoneWorker,
        Self::HardCap,
        Self::Pressure,
        Self::Strikes,
    ];

    /// Whether it is one of the guardrails.
    #[must_use]
    pub fn is_guardrail(self) -> bool {
        self.guardrail().is_some()
    }

    /// Which of them.
    pub(crate) fn guardrail(self) -> Option<usize> {
        [Self::LoneWorker, Self::HardCap, Self::Pressure, Self::Strikes]
            .into_iter()
            .position(|guardrail| guardrail == self)
    }

    pub(crate) fn from_index(index: u64) -> Self {
        usize::try_from(index)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
            .unwrap_or(Self::Unknown)
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
            Self::Told => "as told",
            Self::LoneWorker => "GR0: lone I/O worker",
            Self::HardCap => "GR1: too long to block",
            Self::Pressure => "GR2: too long under pressure",
            Self::Strikes => "GR3: far too long lately",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_has_its_place() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(Reason::from_index(index as u64), reason);
            assert_eq!(reason as usize, index);
        }
        assert_eq!(Reason::ALL.into_iter().filter(|reason| reason.is_guardrail()).count(), 4);
    }
}
