//! A plug-in that computes: it counts the words of a text.

use std::collections::BTreeMap;

use interface::{Reply, Text};
use rayon::iter::ParallelIterator;
use rayon::str::ParallelString;

loom::plugin::export!("words");

/// Loom decides where this runs, as in any program: inline on the host's I/O worker, or on a
/// thread that the host has started for this plug-in. Parallel iterators use those threads, too.
#[loom::compute(size = text.len())]
fn count(text: String) -> BTreeMap<String, u32> {
    let words = text.par_split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .fold(BTreeMap::new, |mut counts: BTreeMap<String, u32>, word| {
            *counts.entry(word.to_lowercase()).or_default() += 1;
            counts
        })
        .reduce(BTreeMap::new, |mut all, counts| {
            for (word, n) in counts {
                *all.entry(word).or_default() += n;
            }
            all
        })
}

#[unsafe(no_mangle)]
static INTERFACE_VERSION: u32 = interface::VERSION;

#[unsafe(no_mangle)]
extern "C" fn answer(request: Text<'_>, reply: Reply) {
    let text = request.to_text();
    // An exported function must not panic. If the host has ended, the reply is dropped, which
    // reports that there is no answer.
    let Some(attached) = loom::plugin::current() else { return };
    // A task on the host's I/O workers. If it panics, the reply is dropped as well.
    drop(attached.try_spawn(async move {
        let counts = count(text).await;
        let most = counts.iter().max_by_key(|(_, n)| **n);
        let most =
            most.map_or(String::new(), |(word, n)| format!(", most often `{word}`, {n} times"));
        reply.send(&format!("{} different words{most}", counts.len()));
    }));
}
