//! Wakes, and what they leave behind.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use crate::{attached, until};

/// A task that is woken by another one each time, through clones that are made and dropped.
pub(crate) fn a_million_wakes() {
    static SLOT: Mutex<Option<Waker>> = Mutex::new(None);
    static POLLS: AtomicUsize = AtomicUsize::new(0);
    const WAKES: usize = 1_000_000;
    POLLS.store(0, Ordering::Relaxed);
    let woken = attached().spawn(std::future::poll_fn(|cx| {
        if POLLS.fetch_add(1, Ordering::Relaxed) + 1 >= WAKES {
            return Poll::Ready(());
        }
        *SLOT.lock().expect("nobody panics") = Some(cx.waker().clone());
        Poll::Pending
    }));
    let mut woken = pin!(woken);
    let done = attached().block_on(async {
        let wakes = std::future::poll_fn(|cx| {
            if let Poll::Ready(ended) = woken.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            let waker = SLOT.lock().expect("nobody panics").take();
            if let Some(waker) = waker {
                waker.wake_by_ref();
                waker.clone().wake();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        wakes.await
    });
    done.expect("it may wait").expect("it ends");
}

/// What is kept from one poll is what the next one brings.
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
        // A clone that outlives its task wakes nobody, and harms nobody.
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
