//! Tests that other crates' attributes and macros make, and that `#[loom::test]` runs.

use std::collections::HashSet;
use std::sync::Mutex;

use proptest::prelude::*;
use rstest::rstest;
use test_case::test_case;

#[loom::compute]
fn double(n: u32) -> u32 {
    n * 2
}

#[rstest]
#[case(1, 2)]
#[case(21, 42)]
#[loom::test]
async fn rstest_above(#[case] n: u32, #[case] doubled: u32) {
    assert_eq!(double(n).await, doubled);
}

#[rstest]
#[case(1)]
#[case(2)]
#[loom::test(arm = "both")]
async fn rstest_above_both(#[case] n: u32) {
    assert_eq!(double(n).await, n + n);
}

#[loom::test]
#[rstest]
#[case(3, 6)]
async fn rstest_below(#[case] n: u32, #[case] doubled: u32) {
    assert_eq!(double(n).await, doubled);
}

#[test_case(1, 2; "one")]
#[test_case(2, 4; "two")]
#[loom::test]
async fn cases_above(n: u32, doubled: u32) {
    assert_eq!(double(n).await, doubled);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[loom::test]
    fn properties(n in 0..1000_u32) {
        let runtime = loom::current_runtime().expect("a test has a runtime");
        prop_assert_eq!(runtime.block_on(double(n)), n + n);
    }
}

static SEEN: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

#[rstest]
#[loom::test]
async fn values_are_crossed(#[values(1, 2)] a: u32, #[values(10, 20)] b: u32) {
    let sum = double(a).await + b;
    let mut seen = SEEN.lock().expect("nobody panics");
    assert!(seen.get_or_insert_default().insert(sum), "each once");
}
