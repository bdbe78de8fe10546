//! A core keeps the times of scopes apart by closure and by place.

use std::panic::Location;

use super::*;
use crate::core::ScopeTimes;
use crate::topology::{CoreBudget, Request};

/// The times of a scope that is called with this closure at the caller's place.
#[track_caller]
fn times<F: FnOnce()>(core: &Core, _closure: &F) -> Arc<ScopeTimes> {
    core.closures.of_scopes(typeid::of::<F>(), Location::caller())
}

#[test]
fn scopes_of_one_function_are_learned_apart() {
    let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
    let core = Core::new(plan, Some(1), 1, 1, MabKnobs::new());
    let text = String::from("borrowed");
    let kinds: Vec<_> = (0..2)
        .map(|_| {
            let one = || assert_eq!(text.len(), 8);
            let other = || assert!(!text.is_empty());
            [times(&core, &one), times(&core, &other), times(&core, &one)]
        })
        .collect();
    let [one, other, elsewhere] = &kinds[0];
    assert!(!Arc::ptr_eq(one, other), "two closures");
    assert!(!Arc::ptr_eq(one, elsewhere), "two places");
    for (first, second) in kinds[0].iter().zip(&kinds[1]) {
        assert!(Arc::ptr_eq(first, second), "the same twice");
    }
}
