//! What the keeper does for other threads.

use super::runtime_sources;

/// It runs no code of the user, so each new one needs a look at what it calls, and at what it drops.
const ORDERS: [&str; 7] = [
    "BuildPlain",
    "SpawnBlocking<F>",
    "Start",
    "StartClock",
    "StartPool",
    "StartSpare<F>",
    "StartThread<F>",
];

#[test]
fn the_keeper_carries_out_the_listed_orders() {
    let mut found = Vec::new();
    for source in runtime_sources() {
        found.extend(source.code().filter_map(|(_, line)| {
            let (_, order) = line.split_once("keeper::Order for ")?;
            Some(order.trim_end_matches('{').trim().to_owned())
        }));
    }
    found.sort();
    assert_eq!(found, ORDERS);
}
