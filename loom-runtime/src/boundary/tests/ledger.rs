//! Tests of the one look at all counts.

use std::cell::Cell;

use crate::boundary::ledger::{Entry, Kind, look_at};

/// Loads that a look at three kinds makes: two passes.
const LOADS: usize = 6;

/// In any two moments of a look, the only value makes one of any kind, and goes. A look that reads
/// how many there are, one kind after another, misses it.
#[test]
fn a_value_that_becomes_another_during_a_look_is_never_missed() {
    static KINDS: [Kind; 3] = [const { Kind::new() }; 3];
    let (mut cases, mut last): (usize, Option<Entry>) = (0, None);
    for (first, second) in (0..=LOADS).flat_map(|one| (one..=LOADS).map(move |two| (one, two))) {
        for way in 0..27 {
            let [from, by, to] = [way % 3, way / 3 % 3, way / 9];
            last.replace(KINDS[from].enter());
            let mut loads = 0;
            let step = || {
                for (moment, to) in [(first, by), (second, to)] {
                    if loads == moment {
                        let made = KINDS[to].enter();
                        drop(last.replace(made));
                    }
                }
                loads += 1;
            };
            let (counts, ()) = look_at(KINDS.each_ref(), step, || ());
            assert_eq!(loads, LOADS);
            assert_ne!(counts, [0; 3], "{from}, {by}, {to} after {first} and {second} loads");
            cases += 1;
        }
    }
    assert_eq!(cases, 28 * 27);
    drop(last);
    assert_eq!(look_at(KINDS.each_ref(), || (), || ()).0, [0; 3]);
}

/// Something beside the counts, such as a thread, makes a value and goes, or is made by one.
#[test]
fn what_is_asked_meanwhile_is_of_the_same_moment() {
    static KINDS: [Kind; 3] = [const { Kind::new() }; 3];
    for moment in 0..LOADS {
        for (kind, is_made) in [(0, true), (0, false), (2, true), (2, false)] {
            let is_there = Cell::new(is_made);
            let mut value = (!is_made).then(|| KINDS[kind].enter());
            let mut loads = 0;
            let step = || {
                if loads == moment {
                    // First what comes, then what goes.
                    let made = is_made.then(|| KINDS[kind].enter());
                    is_there.set(!is_made);
                    value = made;
                }
                loads += 1;
            };
            let (counts, is_there) = look_at(KINDS.each_ref(), step, || is_there.get());
            assert!(is_there || counts != [0; 3], "{kind}, {is_made} after {moment} loads");
        }
    }
}

#[test]
fn counts_that_go_around_are_told_apart() {
    static KIND: Kind = Kind::after(usize::MAX);
    let kept = [KIND.enter(), KIND.enter()];
    assert_eq!(look_at([&KIND], || (), || ()).0, [2]);
    drop(kept);
    assert_eq!(look_at([&KIND], || (), || ()).0, [0]);
}
