//! A compute function, called like any async function.

use std::collections::BTreeMap;

/// How often each word occurs in a text.
#[loom::compute(hint = "medium")]
fn word_counts(text: String) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

#[loom::main]
async fn main() {
    let text = "the quick brown fox jumps over the lazy dog ".repeat(20);
    for _ in 0..1_000 {
        word_counts(text.clone()).await;
    }
    for function in loom::functions() {
        println!(
            "{}: {} calls, {} inline, median {:?}",
            function.name,
            function.calls(),
            function.inline,
            function.run_times.quantile(0.5).unwrap_or_default(),
        );
    }
}
