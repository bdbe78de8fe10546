//! Calls that share their threads: with the pool's own work, and with one another.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use loom::LoomRuntime;
use rayon::prelude::*;

use crate::runtime;

#[test]
fn a_call_within_a_call_is_asked_for_itself() {
    let runtime = runtime(1);
    let (told, heard) = mpsc::channel();
    let of_call = runtime.clone();
    let call = runtime.spawn_compute(move || {
        let before = loom::is_cancelled();
        // The inner call runs on a spare while the outer one waits.
        let inner = of_call.block_on(of_call.spawn_compute(loom::is_cancelled));
        told.send([before, inner, loom::is_cancelled()])
    });
    runtime.block_on(call).expect("it is heard");
    assert_eq!(heard.recv(), Ok([false; 3]));
}

/// Calls arrive from many tasks until all `install` calls have ended, and the other way round. If
/// one kind starved the other, the test would hang.
#[test]
fn neither_calls_nor_installed_work_starve_the_other() {
    let runtime = runtime(2);
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (runtime, done, calls) = (runtime.clone(), Arc::clone(&done), Arc::clone(&calls));
            runtime.clone().spawn_async(async move {
                while !done.load(Ordering::Relaxed) {
                    let calls = Arc::clone(&calls);
                    runtime.spawn_compute(move || calls.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    for _ in 0..200 {
        let sum: u64 = runtime.install(|| (0..10_000_u64).into_par_iter().sum());
        assert_eq!(sum, 49_995_000);
    }
    let before = calls.load(Ordering::Relaxed);
    assert!(before > 0, "calls ran beside installed work");
    done.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        for caller in callers {
            caller.await.expect("no panic");
        }
    });

    // Now the pool's own work goes on until enough calls have ended.
    let over = Arc::new(AtomicBool::new(false));
    let installers: Vec<_> = (0..4)
        .map(|_| {
            let (runtime, over) = (runtime.clone(), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    runtime.install(|| (0..1_000_u64).into_par_iter().sum::<u64>());
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for n in 0..200_usize {
            assert_eq!(runtime.spawn_compute(move || n * 2).await, n * 2);
        }
    });
    over.store(true, Ordering::Relaxed);
    for installer in installers {
        installer.join().expect("no panic");
    }
}

/// Calls that split their work run beside a stream of other calls.
#[test]
fn work_that_joins_ends_while_calls_pour_in() {
    let runtime = runtime(2);
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (runtime, done) = (runtime.clone(), Arc::clone(&done));
            runtime.clone().spawn_async(async move {
                while !done.load(Ordering::Relaxed) {
                    runtime.spawn_compute(|| ()).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for _ in 0..50 {
            let sum = runtime.spawn_compute(|| {
                let halves = rayon::join(
                    || (0..5_000_u64).into_par_iter().sum::<u64>(),
                    || (5_000..10_000_u64).into_par_iter().sum::<u64>(),
                );
                halves.0 + halves.1
            });
            assert_eq!(sum.await, 49_995_000);
        }
        done.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.expect("no panic");
        }
    });
}

#[test]
fn dropping_a_result_may_wait_for_another_call() {
    struct Waits(LoomRuntime, mpsc::Sender<u8>);
    impl Drop for Waits {
        fn drop(&mut self) {
            let (sender, receiver) = mpsc::channel();
            self.0.spawn_compute(move || sender.send(7)).detach();
            // The other thread has to run it, since this one blocks.
            let heard = receiver.recv().expect("the call runs");
            self.1.send(heard).expect("it is waited for");
        }
    }
    let runtime = runtime(2);
    let (sender, receiver) = mpsc::channel();
    let result = Waits(runtime.clone(), sender);
    runtime.spawn_compute(move || result).detach();
    assert_eq!(receiver.recv(), Ok(7));
}
