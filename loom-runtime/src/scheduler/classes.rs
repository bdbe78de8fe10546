//! By what the calls of one function are learned separately.

use std::ops::RangeInclusive;

use super::{ComputeHint, Wake};

/// How many magnitudes of an input there are.
const SIZES: u32 = 64;
/// How many kinds of wakes are told apart.
#[expect(clippy::cast_possible_truncation, reason = "a few")]
const WAKES: u32 = Wake::ALL.len() as u32;

/// By what the calls of one site are learned separately. A class is a number below [`count`](Self::count).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classes {
    /// Nothing.
    One,
    /// The hint of each call.
    Hints,
    /// The magnitude of the input: the number of its binary digits.
    Sizes,
    /// What each poll follows.
    Polls,
    /// As `Polls`, and two magnitudes of the input each, since a class is a byte.
    PollsBySize,
}

impl Classes {
    /// The classes of a function of these that awaits.
    pub(super) const fn of_polls(self) -> Self {
        match self {
            Self::Sizes | Self::PollsBySize => Self::PollsBySize,
            Self::One | Self::Hints | Self::Polls => Self::Polls,
        }
    }

    pub(super) fn count(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Hints => u32::try_from(ComputeHint::ALL.len()).unwrap_or(SIZES),
            Self::Sizes => SIZES,
            Self::Polls => WAKES,
            Self::PollsBySize => SIZES / 2 * WAKES,
        }
    }

    /// The class of an input of this size; of polls, the first one of that size.
    pub(super) fn of_size(self, size: u64) -> u8 {
        // The two largest magnitudes share a class.
        let digits = (u64::BITS - size.leading_zeros()).min(SIZES - 1);
        let class = match self {
            Self::Sizes => digits,
            Self::PollsBySize => digits / 2 * WAKES,
            Self::One | Self::Hints | Self::Polls => 0,
        };
        u8::try_from(class).unwrap_or(0)
    }

    /// The sizes that a class stands for.
    pub(super) fn sizes(self, class: u8) -> Option<RangeInclusive<u64>> {
        let class = u32::from(class);
        let (low, high) = match self {
            Self::Sizes => (class, class),
            Self::PollsBySize => (class / WAKES * 2, class / WAKES * 2 + 1),
            Self::One | Self::Hints | Self::Polls => return None,
        };
        let least = if low == 0 { 0 } else { 1 << (low - 1) };
        let most = if high >= SIZES - 1 { u64::MAX } else { (1 << high) - 1 };
        Some(least..=most)
    }

    /// What the polls of a class follow.
    pub(super) fn after(self, class: u8) -> Option<Wake> {
        let is_polled = matches!(self, Self::Polls | Self::PollsBySize);
        is_polled.then(|| Wake::ALL[usize::from(class) % Wake::ALL.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_classed_by_wake_and_by_size() {
        let classes = Classes::Sizes.of_polls();
        let of = |size, wake: Wake| classes.of_size(size) + wake as u8;
        for (size, least, most) in [(0, 0, 1), (1, 0, 1), (2, 2, 7), (7, 2, 7), (8, 8, 31)] {
            for wake in Wake::ALL {
                let class = of(size, wake);
                assert_eq!(classes.sizes(class), Some(least..=most));
                assert_eq!(classes.after(class), Some(wake));
                assert!(u32::from(class) < classes.count());
            }
        }
        assert_eq!(classes.sizes(of(u64::MAX, Wake::Any)).map(|it| *it.end()), Some(u64::MAX));
        assert_eq!(Classes::One.of_polls().count(), 6);
        assert_eq!(Classes::Sizes.after(3), None);
    }
}
