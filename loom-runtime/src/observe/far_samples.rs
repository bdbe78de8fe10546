//! The samples of calls on other processes, for the exporter.

use crate::core::Core;
use crate::metrics::Sample;

/// The samples of three families: calls by outcome, waits, ways.
#[cfg(feature = "fleet")]
pub(super) fn of_core(core: &Core) -> [Vec<Sample>; 3] {
    use std::collections::BTreeMap;

    use crate::metrics::Value;

    const OUTCOMES: [&str; 6] = ["done", "refused", "lost", "expired", "panicked", "abandoned"];

    // Functions with the same key share their labels.
    let mut functions = BTreeMap::new();
    for function in super::functions::of_core(core) {
        if function.far.sent == 0 {
            continue;
        }
        let sizes = function.sizes.as_ref();
        let size = sizes.map(|sizes| format!("{} to {}", sizes.start(), sizes.end()));
        let labels = [function.name.to_owned(), size.unwrap_or_default()];
        let far = function.far;
        let ends = [far.returned, far.refused, far.lost, far.expired, far.panicked, far.given_up];
        let Some((sums, waits, ways)) = functions.get_mut(&labels) else {
            functions.insert(labels, (ends, far.waits, far.ways));
            continue;
        };
        let sums: &mut [u64; 6] = sums;
        sums.iter_mut().zip(ends).for_each(|(sum, end)| *sum += end);
        waits.merge(&far.waits);
        ways.merge(&far.ways);
    }
    let mut samples = [const { Vec::new() }; 3];
    let [calls, all_waits, all_ways] = &mut samples;
    for (labels, (ends, waits, ways)) in functions {
        for (outcome, n) in OUTCOMES.into_iter().zip(ends) {
            let labels = labels.iter().cloned().chain([outcome.to_owned()]).collect();
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            calls.push(Sample { labels, value: Value::Number(n as f64) });
        }
        all_waits.push(Sample { labels: labels.to_vec(), value: Value::Histogram(waits) });
        all_ways.push(Sample { labels: labels.to_vec(), value: Value::Histogram(ways) });
    }
    samples
}

#[cfg(not(feature = "fleet"))]
pub(super) fn of_core(_core: &Core) -> [Vec<Sample>; 3] {
    [const { Vec::new() }; 3]
}
