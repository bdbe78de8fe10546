//! Wakes, and that they leave nothing behind.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use crate::{attached, until};

/// A task that is woken again and again by clones of its waker. Each clone is kept for one poll and
/// then dropped. Some wakes come from another thread.
pub(crate) fn a_million_wakes() {
    static SLOT: Mutex<Option<Waker>> = Mutex::new(None);
    const WAKES: usize = 1_000_000;
    const ELSEWHERE: usize = 10_000;
    let mut polls = 0;
    let woken = attached().spawn(std::future::poll_fn(move |cx| {
        polls += 1;
        if polls >= WAKES {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let before = SLOT.lock().expect("nobody panics").replace(waker.clone());
        drop(before);
        if polls % ELSEWHERE == 0 {
            loom::spawn_compute(move || waker.wake()).detach();
        } else {
            waker.wake();
        }
        Poll::Pending
    }));
    attached().block_on(woken).expect("it may wait").expect("it ends");
    drop(SLOT.lock().expect("nobody panics").take());
}

/// A waker that is kept from one poll wakes the same task as the next poll's waker.
pub(crate) fn will_wake_holds() {
    let task = attached().spawn(async {
        let mut kept: Option<Waker> = None;
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            if let Some(kept) = &kept {
                assert!(kept.will_wake(cx.waker()));
                assert!(kept.clone().will_wake(cx.waker()));
            }
            kept = Some(cx.waker().clone());
            polls += 1;
            cx.waker().wake_by_ref();
            if polls < 100 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let other = Waker::noop();
        std::future::poll_fn(|cx| Poll::Ready(assert!(!other.will_wake(cx.waker())))).await;
        // A clone that outlives its task wakes no task, and is harmless.
        kept
    });
    let kept = attached().block_on(task).expect("it may wait").expect("it ends");
    let kept = kept.expect("it was polled");
    until(|| {
        kept.wake_by_ref();
        true
    });
}

static IDLE_POLLS: AtomicUsize = AtomicUsize::new(0);
static IDLE_WAKER: Mutex<Option<Waker>> = Mutex::new(None);

pub(crate) fn leaves_a_pending_task() {
    IDLE_POLLS.store(0, Ordering::Relaxed);
    let mut told = false;
    drop(attached().spawn(std::future::poll_fn(move |cx| {
        if told {
            return Poll::Ready(());
        }
        told = true;
        *IDLE_WAKER.lock().expect("nobody panics") = Some(cx.waker().clone());
        IDLE_POLLS.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    })));
    until(|| IDLE_POLLS.load(Ordering::Relaxed) == 1);
}

pub(crate) fn it_was_not_polled() {
    assert_eq!(IDLE_POLLS.load(Ordering::Relaxed), 1);
    let waker = IDLE_WAKER.lock().expect("nobody panics").take();
    waker.expect("it was polled once").wake();
}
