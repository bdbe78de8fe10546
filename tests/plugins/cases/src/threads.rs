//! The threads on which code runs.

use std::collections::BTreeSet;
use std::sync::Mutex;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{attached, thread_name};

/// Tasks run on the host's workers, and computation on threads that the host has started. All of
/// them have the host's name.
pub(crate) fn only_the_hosts() {
    let computing = Mutex::new(BTreeSet::new());
    let note = || {
        computing.lock().expect("nobody panics").insert(thread_name());
    };
    let attached = attached();
    let pool = attached.runtime();
    pool.install(|| (0..500).into_par_iter().for_each(|_| note()));
    let names = attached.block_on(async {
        let mut names = Vec::new();
        for _ in 0..50 {
            names.push(attached.spawn(async { thread_name() }).await.expect("it ends"));
            names.push(loom::spawn_async(async { thread_name() }).await.expect("it ends"));
        }
        names
    });
    for name in names.expect("it may wait") {
        assert!(name.starts_with("host-tokio-"), "a task ran on `{name}`");
    }
    let computed = attached.block_on(async {
        let mut names = BTreeSet::new();
        for _ in 0..50 {
            let parallel = loom::spawn_compute(|| {
                let mut names: BTreeSet<_> =
                    (0..100).into_par_iter().map(|_| thread_name()).collect();
                names.insert(thread_name());
                names
            });
            names.append(&mut parallel.await);
        }
        names
    });
    let mut computing = computing.into_inner().expect("nobody panics");
    computing.append(&mut computed.expect("it may wait"));
    for name in &computing {
        assert!(name.starts_with("host-first-0") || name.starts_with("host-second-0"), "{name}");
    }
    assert!(computing.len() <= attached.host().compute_threads(), "{computing:?}");
}
