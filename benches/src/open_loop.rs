//! Requests that come when they are due, however long the earlier ones take.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::statistics::Random;

/// When which kind of request is due: at random, so many of each kind a second (a Poisson process).
pub(crate) fn schedule(rates: &[f64], seconds: f64, seed: u64) -> Vec<(Duration, usize)> {
    let mut random = Random::new(seed);
    let mut due = Vec::new();
    for (kind, rate) in rates.iter().enumerate() {
        let mut at = 0.0;
        while at < seconds {
            at -= (1.0 - random.fraction()).ln() / rate;
            due.push((Duration::from_secs_f64(at), kind));
        }
    }
    due.sort_unstable();
    due
}

/// Answers each request by a task, and returns for each kind how long the answers took since they were
/// due, in microseconds, sorted; without those that were due during the warm-up.
pub(crate) fn answer<F>(
    handle: &Handle,
    schedule: &[(Duration, usize)],
    kinds: usize,
    warm_up: Duration,
    request: impl Fn(usize) -> F,
) -> Vec<Vec<u32>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, took) = mpsc::channel();
    let started = Instant::now();
    for &(due, kind) in schedule {
        if let Some(left) = due.checked_sub(started.elapsed()) {
            thread::sleep(left);
        }
        let (sender, request) = (sender.clone(), request(kind));
        handle.spawn(async move {
            request.await;
            // The receiver is there until all have answered.
            let _ = sender.send((due, kind, started.elapsed().saturating_sub(due)));
        });
    }
    drop(sender);
    let mut all = vec![Vec::new(); kinds];
    for (due, kind, took) in took {
        if due >= warm_up {
            all[kind].push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }
    for of_kind in &mut all {
        of_kind.sort_unstable();
    }
    all
}
