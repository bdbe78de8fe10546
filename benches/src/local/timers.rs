//! Timers on one thread.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::time::ClockId;
use tokio::runtime::{Builder, LocalOptions};

use super::column::Column;
use crate::machine::cpu_time;
use crate::sample::Seen;
use crate::statistics::percentile;

/// How many timers wait at the same time, and for how long. They are so close to one another that
/// a single wake-up is enough for all, however exact the timer is.
const TOGETHER: u32 = 1000;
const UNTIL: Duration = Duration::from_millis(2);
const STEP: Duration = Duration::from_nanos(1);
const DELAY: Duration = Duration::from_micros(2300);

pub(super) const COLUMNS: &[Column] = &[
    Column { scenario: "0 pending", says: "0 others, ns", n: 50_000, digits: 0 },
    Column { scenario: "1000 pending", says: "1,000 others, ns", n: 50_000, digits: 0 },
    Column { scenario: "100000 pending", says: "100,000 others, ns", n: 50_000, digits: 0 },
    Column { scenario: "late", says: "late, µs", n: 300, digits: 0 },
];
pub(super) const NAMES: &[&str] = &["tokio", "tick", "loom core"];

/// One sample of the contender with this name.
pub(super) fn sample(contender: &str, scenario: &str, n: u64) -> Option<Seen> {
    let scenario = scenario.to_owned();
    Some(match contender {
        "tokio" => {
            on_tokio(
                async move { of(&scenario, n, |at| tokio::time::sleep_until(at.into())).await },
            )
        }
        "tick" => on_tokio(async move {
            let clock = tick::Clock::new_tokio();
            of(&scenario, n, |at| clock.delay(at.saturating_duration_since(Instant::now()))).await
        }),
        "loom core" => {
            let builder = loom::LoomBuilder::new().tokio_threads(1).rayon_threads(1).local_cores(1);
            let runtime = builder.build().expect("it starts");
            let task = runtime.local(0).spawn_with(move || async move {
                let clock = loom::local::clock();
                of(&scenario, n, |at| clock.delay_until(at)).await
            });
            runtime.block_on(task).expect("no panic")
        }
        _ => return None,
    })
}

fn on_tokio<R: 'static>(body: impl Future<Output = R> + 'static) -> R {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).expect("it starts");
    runtime.block_on(async { tokio::task::spawn_local(body).await.expect("no panic") })
}

async fn of<D: Future>(scenario: &str, n: u64, delay: impl Fn(Instant) -> D) -> Seen {
    match scenario.strip_suffix(" pending").and_then(|others| others.parse().ok()) {
        Some(others) => fires(others, n, delay).await,
        None => lateness(n, delay).await,
    }
}

/// The thread's CPU time to register and fire a timer, while `others` timers wait for an hour.
async fn fires<D: Future>(others: u64, n: u64, delay: impl Fn(Instant) -> D) -> Seen {
    let hour = Instant::now() + Duration::from_hours(1);
    let mut waiting: Vec<_> =
        (0..others).map(|n| Box::pin(delay(hour + Duration::from_millis(n)))).collect();
    for delay in &mut waiting {
        begin(delay.as_mut()).await;
    }
    let (mut spent, mut fired) = (Duration::ZERO, 0);
    while fired < n {
        let (start, now) = (cpu_time(ClockId::ThreadCPUTime), Instant::now());
        let mut delays: Vec<_> =
            (0..TOGETHER).map(|n| Box::pin(delay(now + UNTIL + STEP * n))).collect();
        let mut left = Vec::with_capacity(delays.len());
        for delay in &mut delays {
            if !begin(delay.as_mut()).await {
                left.push(delay);
            }
        }
        for delay in left {
            delay.await;
        }
        spent += cpu_time(ClockId::ThreadCPUTime).saturating_sub(start);
        fired += u64::from(TOGETHER);
    }
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let nanos = spent.as_secs_f64() * 1e9 / fired as f64;
    Seen { nanos, ..Seen::default() }
}

/// Polls a delay for the first time, which registers it; true if it is over already.
async fn begin<D: Future>(mut delay: Pin<&mut D>) -> bool {
    poll_fn(|cx| Poll::Ready(delay.as_mut().poll(cx).is_ready())).await
}

/// How late consecutive delays are, in microseconds: the median, and p99.
async fn lateness<D: Future>(n: u64, delay: impl Fn(Instant) -> D) -> Seen {
    let mut late = Vec::new();
    for _ in 0..n {
        let due = Instant::now() + DELAY;
        delay(due).await;
        let micros = due.elapsed().as_micros();
        late.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }
    late.sort_unstable();
    let at = |percent| f64::from(percentile(&late, percent));
    Seen { nanos: at(50.0), allocations: 0.0, bytes: at(99.0) }
}
