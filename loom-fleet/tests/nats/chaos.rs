//! Many calls while workers are killed and the server is restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use loom::fleet::{FleetError, attempt};
use loom_fleet::Fleet;
use tokio::time::{sleep, timeout};

use super::members::{RAN_HERE, Worker, squared, tripled};
use super::server::Server;
use super::{builder, far, reaches_a_worker};

const AT_A_TIME: u64 = 64;
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// A call that runs again has its time once more, and no call has more than this.
const HANGS: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Outcomes {
    right: AtomicU64,
    lost: AtomicU64,
    expired: AtomicU64,
    wrong: AtomicU64,
}

impl Outcomes {
    fn count(&self, is_right: Result<bool, FleetError>) {
        let counter = match is_right {
            Ok(true) => &self.right,
            Ok(false) | Err(FleetError::Panicked(_)) => &self.wrong,
            Err(FleetError::Expired { .. }) => &self.expired,
            Err(_) => &self.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; 4] {
        let Self { right, lost, expired, wrong } = self;
        [right, lost, expired, wrong].map(|counter| counter.load(Ordering::Relaxed))
    }
}

#[test]
fn every_call_ends_as_it_may() {
    let calls = std::env::var("LOOM_FLEET_CALLS").map_or(4000, |n| n.parse().expect("a number"));
    let mut server = Server::start();
    let fleet = Fleet::nats(server.url())
        .name("test")
        .preferred()
        .time_limit(TIME_LIMIT)
        .lost_after(Duration::from_millis(500));
    let caller = builder().prefix("caller").fleet(fleet).build().expect("a caller");
    let (plain, idempotent) = (Arc::<Outcomes>::default(), Arc::<Outcomes>::default());
    let mut printed = Vec::new();
    let restarts = caller.block_on(async {
        let mut workers = [Worker::start(&server, 256), Worker::start(&server, 256)];
        printed.extend(workers.iter().map(Worker::lines));
        reaches_a_worker().await;
        let next = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                let (next, plain, idempotent) =
                    (Arc::clone(&next), Arc::clone(&plain), Arc::clone(&idempotent));
                loom::spawn_async(async move {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= calls {
                            return;
                        }
                        let hangs = format!("call {n} hangs");
                        if n % 2 == 0 {
                            let call = attempt(squared(n));
                            let ended = timeout(HANGS, call).await.expect(&hangs);
                            idempotent.count(ended.map(|result| result == n * n));
                        } else {
                            let call = attempt(tripled(n));
                            let ended = timeout(HANGS, call).await.expect(&hangs);
                            plain.count(ended.map(|result| result == n * 3));
                        }
                    }
                })
            })
            .collect();
        let watched = Arc::clone(&is_over);
        let all = loom::spawn_async(async move {
            for task in tasks {
                task.await.expect("no panic");
            }
            watched.store(true, Ordering::Relaxed);
        });
        let mut restarts = 0;
        for round in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            sleep(Duration::from_millis(300)).await;
            workers[round % 2] = Worker::start(&server, 256);
            printed.push(workers[round % 2].lines());
            let done = next.load(Ordering::Relaxed);
            if restarts < 2 && done > (restarts + 1) * calls / 3 {
                server.end();
                sleep(Duration::from_millis(100)).await;
                server.begin();
                restarts += 1;
            }
        }
        all.await.expect("no panic");
        restarts
    });
    let [right, lost, expired, wrong] = idempotent.counts();
    assert_eq!(
        (right, lost + expired, wrong),
        (calls / 2, 0, 0),
        "an idempotent call has one result"
    );
    let [right, lost, expired, wrong] = plain.counts();
    assert_eq!((right + lost + expired, wrong), (calls / 2, 0), "a plain call, or an error");
    assert_eq!(restarts, 2);
    let mut ran = RAN_HERE.lock().expect("no panic").clone();
    for lines in printed {
        let lines = lines.lock().expect("no panic");
        ran.extend(lines.iter().filter_map(|line| line.strip_prefix("ran ")?.parse::<u64>().ok()));
    }
    let all = ran.len();
    ran.sort_unstable();
    ran.dedup();
    assert_eq!(ran.len(), all, "a plain call runs at most once");
    assert!(ran.len() as u64 >= right, "those with a result have run");
    for name in ["squared", "tripled"] {
        let seen = far(&caller, name);
        println!(
            "{name}: {} sent, {} returned, {} refused, {} lost, {} expired",
            seen.sent, seen.returned, seen.refused, seen.lost, seen.expired
        );
        assert_eq!(seen.under_way, 0);
        assert!(seen.returned > calls / 20, "most of the time there is a worker: {seen:?}");
        assert_eq!(
            seen.sent,
            seen.returned + seen.refused + seen.lost + seen.expired + seen.given_up,
            "each has one end: {seen:?}"
        );
    }
}
