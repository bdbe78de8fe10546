//! The last decisions on one function, and which of them were finished.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many decisions are remembered.
const REMEMBERED: u32 = 64;
/// Decisions are numbered with 31 bits, and the numbers wrap around.
const NUMBERS: u32 = u32::MAX >> 1;

/// Numbers decisions, and remembers the last 64 of them.
///
/// `Relaxed` everywhere: each word stands for itself.
#[derive(Debug)]
pub(super) struct Recent {
    /// How many decisions were made.
    made: AtomicU64,
    /// At its number modulo 64, each decision: its number, and in the lowest bit whether it was
    /// finished.
    decisions: [AtomicU32; REMEMBERED as usize],
}

impl Recent {
    pub(super) fn new() -> Self {
        // As if the decisions before the first one had been finished.
        let before = |number: u32| word(number.wrapping_sub(REMEMBERED) & NUMBERS, true);
        let mut number = 0..REMEMBERED;
        let decisions = [(); REMEMBERED as usize]
            .map(|()| AtomicU32::new(number.next().map(before).unwrap_or_default()));
        Self { made: AtomicU64::new(0), decisions }
    }

    /// The number of a new decision.
    pub(super) fn begin(&self) -> u32 {
        let number = number_of(self.made.fetch_add(1, Ordering::Relaxed));
        // Another thread may have begun a later one with the same place already.
        let _ = self.place(number).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            is_older(held >> 1, number).then_some(word(number, false))
        });
        number
    }

    /// Whether this is the first time that the decision is finished. True for one that is no longer
    /// remembered, and false for a number that was never given.
    pub(super) fn finish(&self, number: u32) -> bool {
        let open = word(number, false);
        let done = word(number, true);
        let place = self.place(number);
        match place.compare_exchange(open, done, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(held) if held == done => false,
            Err(_) => {
                let made = self.made.load(Ordering::Relaxed);
                let was_given = made > u64::from(NUMBERS) || u64::from(number) < made;
                was_given && is_older(number, number_of(made))
            }
        }
    }

    fn place(&self, number: u32) -> &AtomicU32 {
        &self.decisions[(number % REMEMBERED) as usize]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers wrap around")]
fn number_of(made: u64) -> u32 {
    made as u32 & NUMBERS
}

fn word(number: u32, is_finished: bool) -> u32 {
    number << 1 | u32::from(is_finished)
}

/// Whether `number` comes before `than`, also where the numbers have wrapped around between them.
fn is_older(number: u32, than: u32) -> bool {
    let distance = than.wrapping_sub(number) & NUMBERS;
    distance != 0 && distance <= NUMBERS / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_64_decisions_count_once() {
        let recent = Recent::new();
        let first = recent.begin();
        assert!(recent.finish(first));
        let others: Vec<_> = (0..63).map(|_| recent.begin()).collect();
        assert!(!recent.finish(first), "63 came after it");
        assert!(others.iter().all(|number| recent.finish(*number)));
        assert!(!others.iter().any(|number| recent.finish(*number)));
        let last = recent.begin();
        assert!(recent.finish(first), "it is no longer remembered");
        assert!(recent.finish(last) && !recent.finish(last));
    }

    #[test]
    fn a_number_that_was_never_given_does_not_count() {
        let recent = Recent::new();
        for number in [0, 7, 1 << 30, NUMBERS - 100, NUMBERS] {
            assert!(!recent.finish(number), "{number}");
        }
        let first = recent.begin();
        assert!(!recent.finish(first + 1) && recent.finish(first));
    }

    #[test]
    fn numbers_wrap_around() {
        let recent = Recent::new();
        recent.made.store(u64::from(NUMBERS - 2), Ordering::Relaxed);
        for (i, place) in recent.decisions.iter().enumerate() {
            let number = u32::try_from(i).unwrap_or_default();
            // The largest number that belongs there and comes before.
            let behind = (NUMBERS - 2 - number - 1) % REMEMBERED;
            place.store(word(NUMBERS - 3 - behind, true), Ordering::Relaxed);
        }
        let numbers: Vec<_> = (0..6).map(|_| recent.begin()).collect();
        assert_eq!((numbers[0], numbers[3]), (NUMBERS - 2, 0));
        assert!(numbers.iter().all(|number| recent.finish(*number)));
        assert!(!numbers.iter().any(|number| recent.finish(*number)));
    }
}
