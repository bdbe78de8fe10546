//! A stress test of shutdown: each round ends a core of its own, on threads that all rounds share.
//!
//! `LOOM_SHUTDOWN_ROUNDS` sets the number of rounds. The seed of a round is derived from its
//! number, and a hang fails the test with that number.

use std::env;
use std::panic;
use std::pin::pin;
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use tokio::runtime::{Builder, Handle};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::accounting::CallOptions;
use super::compute::{ComputeFuture, offload};
use crate::core::{Admitted, Core, Drained, Pools, Spot};
use crate::scheduler::MabKnobs;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, rounds, thread};
use crate::threads::drainer;
use crate::threads::task::spawn;
use crate::topology::{CoreBudget, Plan, Request};

const ROUNDS: usize = rounds(300);
/// A round that takes longer hangs: this is far more than a round takes on the slowest machine.
const HANGS: Duration = Duration::from_secs(60);

/// A generator of Marsaglia's xorshift family.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Counts one when it is dropped with the work that holds it.
struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn burn(steps: u64) {
    for step in 0..steps {
        std::hint::black_box(step);
    }
}

/// Starts some tasks and calls, and aborts or cancels some of them. Returns how many it started.
fn start_work(core: &Arc<Core>, tokio: &Handle, random: &mut Random, ended: &Ended) -> usize {
    let (tasks, calls) = (random.below(3), random.below(4));
    let mut started = 0;
    for _ in 0..tasks {
        let Ok(admitted) = Admitted::to(core) else { break };
        let (guard, yields) = (Ended(Arc::clone(&ended.0)), random.below(4));
        let task = spawn(admitted, Spot::named("a task"), tokio, async move {
            let _guard = guard;
            for _ in 0..yields {
                yield_now().await;
            }
        });
        if random.below(3) == 0 {
            task.abort();
        }
        started += 1;
    }
    for _ in 0..calls {
        let Ok(admitted) = Admitted::to(core) else { break };
        let (guard, steps) = (Ended(Arc::clone(&ended.0)), random.below(2_000));
        let call =
            ComputeFuture::or_panic(offload(core, admitted, CallOptions::default(), move || {
                burn(steps);
                drop(guard);
            }));
        match random.below(3) {
            0 => call.detach(),
            // Polled once and then cancelled: the call may be queued, running or done by then.
            1 => drop(tokio.spawn(async move {
                let mut call = pin!(call);
                tokio::select! {
                    biased;
                    () = &mut call => {}
                    () = yield_now() => {}
                }
            })),
            _ => drop(tokio.spawn(call)),
        }
        started += 1;
    }
    started
}

#[test]
fn every_end_comes() {
    let rounds = env::var("LOOM_SHUTDOWN_ROUNDS").ok();
    if rounds.is_some() {
        // A long run. Calls that an early end refuses panic where they are awaited, as they
        // should; the hook leaves out these quarter of a million lines.
        panic::set_hook(Box::new(|info| {
            if thread::current().name() != Some("tokio-rt-worker") {
                eprintln!("{info}");
            }
        }));
    }
    let rounds = rounds.map_or(ROUNDS, |n| n.parse().expect("a number of rounds"));
    let host = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let host = host.expect("tokio starts");
    let pool = ThreadPoolBuilder::new().num_threads(2).build().expect("rayon starts");
    let pools = Arc::new(Pools::new(pool, "test", &Arc::default()));
    let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
    let tokio = host.handle();
    for round in 1..=rounds {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(round as u64));
        let core = Arc::new(Core::new(Arc::clone(&plan), Some(2), 2, 4096, MabKnobs::new()));
        core.pools.set(Arc::downgrade(&pools)).expect("it is new");
        if round == 1 {
            drainer::prepare(&core, pools.current());
        }
        let ended = Ended(Arc::default());

        // One waits for the end from the start, and one is aborted half-way.
        let early = tokio.spawn(Drained::of(&core));
        let aborted = tokio.spawn(Drained::of(&core));
        let mut started = start_work(&core, tokio, &mut random, &ended);
        let leaves = random.below(4) == 0;
        if leaves {
            core.lifecycle.leave();
        } else {
            core.lifecycle.drain();
        }
        aborted.abort();
        started += start_work(&core, tokio, &mut random, &ended);

        let over = async {
            Drained::of(&core).await;
            early.await.expect("it does not panic");
        };
        let over = host.block_on(async { timeout(HANGS, over).await });
        assert!(over.is_ok(), "round {round} hangs: {:?}", core.lifecycle);
        // All work was dropped, no work starts after the end, and new work is refused.
        assert_eq!(ended.0.load(Ordering::Relaxed), started, "round {round}");
        assert!(Admitted::to(&core).is_err() && core.lifecycle.is_idle(), "round {round}");
        assert_eq!((core.lifecycle.count(), core.in_flight()), (0, 0), "round {round}");
        assert_eq!(core.lifecycle.is_gone(), leaves);
    }
}
