//! The scenarios, which are the same on either side of the boundary.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

/// How many tasks are spawned before the first of them is awaited.
const BATCH: usize = 32;

/// A way to spawn tasks.
pub(crate) trait Spawns: Clone + Send + Sync + 'static {
    type Handle<T: Send + 'static>: Future + Send;

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self::Handle<T>;
}

/// Nanoseconds per task that is spawned and awaited.
pub(crate) async fn spawns(on: impl Spawns, tasks: u64) -> f64 {
    let mut started = Instant::now();
    // The first tenth is for warming up.
    let (first, mut done) = (tasks / 10, 0);
    while done < tasks {
        if done <= first {
            started = Instant::now();
        }
        let batch: [_; BATCH] = std::array::from_fn(|_| on.spawn(async {}));
        for task in batch {
            task.await;
        }
        done += BATCH as u64;
    }
    per(started, tasks - first)
}

/// Nanoseconds per poll of the calling task, which wakes itself.
pub(crate) async fn polls(times: u64) -> f64 {
    let mut left = times + times / 10;
    let mut started = None;
    poll_fn(|cx| {
        left -= 1;
        if left == times {
            started = Some(Instant::now());
        }
        if left == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    per(started.unwrap_or_else(Instant::now), times)
}

#[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
fn per(started: Instant, n: u64) -> f64 {
    started.elapsed().as_secs_f64() * 1e9 / n as f64
}
