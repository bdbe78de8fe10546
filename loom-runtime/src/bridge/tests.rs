//! Each rule of `README.md`, driven by hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use super::{Call, End, Fault, call};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, thread};

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts its drops, and panics in the first of them if it is told to.
struct Dropped {
    count: Arc<AtomicUsize>,
    panics: bool,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "panicking in a drop, as told");
    }
}

fn poll<R>(call: &mut Call<R>) -> Poll<super::Outcome<R>> {
    pin!(call).poll(&mut Context::from_waker(Waker::noop()))
}

fn ended<R>(job: super::Job<impl FnOnce() -> R, R>) -> End {
    let mut end = None;
    job.run(|e| end = Some(e));
    end.expect("a job tells how it ended")
}

#[test]
fn a_result_crosses_and_wakes_once() {
    let counted = Arc::new(CountWakes::default());
    let waker = Waker::from(Arc::clone(&counted));
    let (job, call) = call(|| 7);
    let mut call = pin!(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(ended(job), End::Returned);
    assert_eq!(counted.0.load(Ordering::Relaxed), 1);
    assert!(matches!(call.poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(7))));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let counted = [(); 2].map(|()| Arc::new(CountWakes::default()));
    let (job, mut call) = call(|| ());
    for counted in &counted {
        let waker = Waker::from(Arc::clone(counted));
        assert!(pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    ended(job);
    assert_eq!(counted.map(|w| w.0.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn a_panic_crosses_as_its_payload() {
    let (job, mut call) = call(|| -> () { std::panic::panic_any(42_u8) });
    assert_eq!(ended(job), End::Panicked);
    let Poll::Ready(Err(Fault::Panicked(payload))) = poll(&mut call) else {
        panic!("the call ends in the panic");
    };
    assert_eq!(payload.downcast_ref(), Some(&42_u8));
}

#[test]
fn a_call_that_was_polled_and_dropped_never_starts() {
    let count = Arc::new(AtomicUsize::new(0));
    let captured = Dropped { count: Arc::clone(&count), panics: true };
    let (job, mut call) = call(move || {
        let _captured = captured;
        unreachable!("cancelled before it started")
    });
    assert!(poll::<()>(&mut call).is_pending());
    assert!(call.abandon());
    assert_eq!(ended(job), End::Cancelled);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_call_that_was_never_polled_is_detached() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let (job, call) = call(move || counted.fetch_add(1, Ordering::Relaxed));
    drop(call);
    assert_eq!(ended(job), End::Returned);
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[test]
fn an_abandoned_result_is_dropped_by_the_job_even_if_its_drop_panics() {
    let count = Arc::new(AtomicUsize::new(0));
    let result = Dropped { count: Arc::clone(&count), panics: true };
    let given_up = Arc::new(crate::sync::Mutex::new(None::<Call<Dropped>>));
    let holder = Arc::clone(&given_up);
    let (job, mut call) = call(move || {
        // The caller gives up while the closure runs.
        drop(holder.lock().expect("not poisoned").take());
        result
    });
    assert!(poll(&mut call).is_pending());
    *given_up.lock().expect("not poisoned") = Some(call);
    assert_eq!(ended(job), End::Returned);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_detached_result_is_dropped_before_the_job_says_that_it_has_ended() {
    let count = Arc::new(AtomicUsize::new(0));
    let result = Dropped { count: Arc::clone(&count), panics: true };
    let (job, call) = call(move || result);
    drop(call);
    let mut dropped_before = 0;
    job.run(|_end| dropped_before = count.load(Ordering::Relaxed));
    assert_eq!(dropped_before, 1);
}

#[test]
fn a_panicking_hook_does_not_lose_the_outcome() {
    let (job, mut call) = call(|| 1);
    job.run(|_end| panic!("a hook that panics, as told"));
    assert!(matches!(poll(&mut call), Poll::Ready(Ok(1))));
}

#[test]
fn a_job_that_is_dropped_refuses_its_call() {
    let (job, mut call) = call(|| ());
    drop(job);
    assert!(matches!(poll(&mut call), Poll::Ready(Err(Fault::Refused))));
}

#[test]
fn a_panicking_waker_does_not_reach_the_pool() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics, as told");
        }
    }
    let waker = Waker::from(Arc::new(Bomb));
    let (job, mut call) = call(|| 1);
    assert!(pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(ended(job), End::Returned);
    assert!(matches!(poll(&mut call), Poll::Ready(Ok(1))));
}

#[test]
fn polling_after_completion_is_refused_loudly() {
    let (job, mut call) = call(|| 1);
    ended(job);
    assert!(poll(&mut call).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut call))).is_err());
}

#[test]
fn racing_ends_lose_neither_results_nor_wakes() {
    let count = Arc::new(AtomicUsize::new(0));
    for round in 0..2_000 {
        let result = Dropped { count: Arc::clone(&count), panics: false };
        let (job, mut call) = call(move || result);
        let worker = thread::spawn(move || ended(job));
        if round % 2 == 0 {
            struct Unpark(thread::Thread);
            impl Wake for Unpark {
                fn wake(self: Arc<Self>) {
                    self.0.unpark();
                }
            }
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            while pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending() {
                thread::park();
            }
        } else {
            let _pending = poll(&mut call);
            drop(call);
        }
        worker.join().expect("a job does not panic");
        assert_eq!(count.load(Ordering::Relaxed), round + 1, "each result is dropped once");
    }
}
