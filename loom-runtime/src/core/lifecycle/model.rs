//! The steps of the protocol under a model checker, in every interleaving.
//!
//! `RUSTFLAGS="--cfg loom_model" cargo test --release -p loom-runtime --lib model`

use std::task::{Context, Poll, Waker};

use loom_model::cell::UnsafeCell;
use loom_model::future::block_on;
use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::thread;

use crate::core::lifecycle::word::{Lifecycle, Waiter};
use crate::sync::Arc;
use crate::sync::explore::{explore, reach};

/// The most preemptions in one run. Two or three were enough to show every bug of this kind that
/// was ever found; without a bound, three threads take hours.
const MOST_PREEMPTIONS: usize = 4;

/// What `Drained` does, without a core.
async fn over(lifecycle: &Lifecycle) {
    let mut place = Waiter::default();
    std::future::poll_fn(|cx| {
        let polled = lifecycle.poll_over(&mut place, cx);
        reach(if polled.is_ready() { "over" } else { "waits" });
        polled
    })
    .await;
    lifecycle.forget(&mut place);
}

/// Work whose effect is an increment that a finishing call must see.
fn work(lifecycle: &Lifecycle, done: &AtomicUsize) -> bool {
    let admitted = lifecycle.admit();
    reach(if admitted { "admitted" } else { "refused" });
    if admitted {
        done.fetch_add(1, Ordering::Relaxed);
        lifecycle.end_one();
    }
    admitted
}

#[test]
fn a_wait_ends_after_the_last_work_and_none_comes_after() {
    explore(MOST_PREEMPTIONS, &["admitted", "over", "refused", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let (done, admitted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (lifecycle, done) = (Arc::clone(&lifecycle), Arc::clone(&done));
                let admitted = Arc::clone(&admitted);
                thread::spawn(move || {
                    if work(&lifecycle, &done) {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        lifecycle.drain();
        block_on(over(&lifecycle));
        // All admitted work has ended by now, and no more is admitted.
        let seen = done.load(Ordering::Relaxed);
        assert!(lifecycle.is_idle() && !lifecycle.accepts_work());
        for thread in threads {
            thread.join().expect("it does not panic");
        }
        assert_eq!(done.load(Ordering::Relaxed), seen);
        assert_eq!(admitted.load(Ordering::Relaxed), seen);
        assert_eq!(lifecycle.count(), 0);
    });
}

#[test]
fn work_that_admits_work_keeps_the_end_away() {
    explore(MOST_PREEMPTIONS, &["over", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let done = Arc::new(AtomicUsize::new(0));
        assert!(lifecycle.admit());
        let parent = {
            let (lifecycle, done) = (Arc::clone(&lifecycle), Arc::clone(&done));
            thread::spawn(move || {
                assert!(lifecycle.admit(), "its parent has not ended");
                lifecycle.end_one();
                done.fetch_add(1, Ordering::Relaxed);
                lifecycle.end_one();
            })
        };
        lifecycle.drain();
        block_on(over(&lifecycle));
        assert_eq!(done.load(Ordering::Relaxed), 1);
        parent.join().expect("it does not panic");
    });
}

#[test]
fn a_cancelled_wait_takes_nobodys_wake() {
    explore(MOST_PREEMPTIONS, &["over", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        assert!(lifecycle.admit());
        lifecycle.drain();
        let worker = {
            let lifecycle = Arc::clone(&lifecycle);
            thread::spawn(move || lifecycle.end_one())
        };
        let waiter = {
            let lifecycle = Arc::clone(&lifecycle);
            thread::spawn(move || block_on(over(&lifecycle)))
        };
        let mut place = Waiter::default();
        let mut cx = Context::from_waker(Waker::noop());
        let _: Poll<()> = lifecycle.poll_over(&mut place, &mut cx);
        lifecycle.forget(&mut place);
        worker.join().expect("it does not panic");
        waiter.join().expect("it was woken");
    });
}

#[test]
fn draining_wakes_those_who_waited_before_it() {
    explore(MOST_PREEMPTIONS, &["over", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let waiter = {
            let lifecycle = Arc::clone(&lifecycle);
            thread::spawn(move || block_on(over(&lifecycle)))
        };
        let worker = {
            let lifecycle = Arc::clone(&lifecycle);
            thread::spawn(move || {
                if lifecycle.admit() {
                    lifecycle.end_one();
                }
            })
        };
        lifecycle.drain();
        waiter.join().expect("it was woken");
        worker.join().expect("it does not panic");
    });
}

#[test]
fn leaving_ends_a_wait_once_what_was_admitted_has_ended() {
    explore(MOST_PREEMPTIONS, &["admitted", "over", "refused", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let done = Arc::new(AtomicUsize::new(0));
        let worker = {
            let (lifecycle, done) = (Arc::clone(&lifecycle), Arc::clone(&done));
            thread::spawn(move || work(&lifecycle, &done))
        };
        let leaver = {
            let lifecycle = Arc::clone(&lifecycle);
            thread::spawn(move || lifecycle.leave())
        };
        block_on(over(&lifecycle));
        assert!(lifecycle.is_gone());
        leaver.join().expect("it does not panic");
        let admitted = worker.join().expect("it does not panic");
        assert_eq!(done.load(Ordering::Relaxed), usize::from(admitted));
        assert!(!lifecycle.admit());
        assert_eq!(lifecycle.count(), 0);
    });
}

/// Work whose effect is in a cell: the checker reports a thread that reads it too early.
fn working(lifecycle: &Arc<Lifecycle>) -> (Arc<UnsafeCell<()>>, thread::JoinHandle<()>) {
    assert!(lifecycle.admit());
    let effect = Arc::new(UnsafeCell::new(()));
    let (lifecycle, own) = (Arc::clone(lifecycle), Arc::clone(&effect));
    let worker = thread::spawn(move || {
        own.with_mut(|_| ());
        lifecycle.end_one();
    });
    (effect, worker)
}

#[test]
fn who_finds_it_idle_sees_what_the_work_did() {
    explore(MOST_PREEMPTIONS, &["busy", "idle"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let (effect, worker) = working(&lifecycle);
        lifecycle.drain();
        thread::yield_now();
        if lifecycle.is_idle() {
            reach("idle");
            effect.with(|_| ());
        } else {
            reach("busy");
        }
        worker.join().expect("it does not panic");
    });
}

#[test]
fn everyone_who_waits_sees_what_the_work_did() {
    explore(3, &["over", "waits"], || {
        let lifecycle = Arc::new(Lifecycle::default());
        let (effect, worker) = working(&lifecycle);
        let other = {
            let (lifecycle, effect) = (Arc::clone(&lifecycle), Arc::clone(&effect));
            thread::spawn(move || {
                block_on(over(&lifecycle));
                effect.with(|_| ());
            })
        };
        lifecycle.drain();
        block_on(over(&lifecycle));
        effect.with(|_| ());
        other.join().expect("it was woken");
        worker.join().expect("it does not panic");
    });
}
