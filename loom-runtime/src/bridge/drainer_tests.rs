//! Drainers that are more than there may be.

use super::drainer_set::{DrainerSet, Fetch, Generation};

/// As many places are open as there are jobs, and then one drainer may be up.
fn of_jobs(jobs: usize) -> DrainerSet {
    let set = DrainerSet::new(jobs);
    for _ in 0..jobs {
        assert!(matches!(set.submit(usize::MAX), Some(Fetch::One(_))));
    }
    set
}

fn comes(set: &DrainerSet) -> Generation {
    set.arrive(true).expect("a place is open")
}

#[test]
fn a_drainer_too_many_closes_open_places_and_stays() {
    let set = of_jobs(3);
    set.set_limit(1);
    // One of the three threads comes. The others are within other work.
    let own = comes(&set);
    assert_eq!(set.leaves(own, true), None);
    assert_eq!((set.open_place(), set.searching(), set.waiting()), (None, 1, 3));
    assert_eq!(set.arrive(true), None, "it finds no place when it comes");
}

#[test]
fn a_drainer_too_many_leaves_others_that_have_come() {
    let set = of_jobs(2);
    let (own, _other) = (comes(&set), comes(&set));
    set.set_limit(1);
    assert_eq!(set.leaves(own, true), Some(Fetch::None));
    assert_eq!((set.open_place(), set.searching()), (None, 1));
}
