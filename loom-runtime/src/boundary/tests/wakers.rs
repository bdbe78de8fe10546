//! Tests of wakers that cross the boundary.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::boundary::waker::LoweredWaker;
use crate::boundary::waker::foreign::Foreign;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Mutex, thread};

use super::{Counting, pair};

#[test]
fn a_foreign_waker_wakes_is_the_same_and_is_given_back() {
    let counting = Arc::new(Counting::default());
    let foreign = Foreign::lower(Waker::from(Arc::clone(&counting)));
    assert_eq!(foreign.counts(), 1);
    let kept = foreign.with(Waker::clone);
    assert_eq!(foreign.counts(), 2);
    foreign.with(|waker| {
        assert!(kept.will_wake(waker), "the same task");
        assert!(kept.clone().will_wake(waker));
        assert!(!kept.will_wake(Waker::noop()));
    });
    kept.wake_by_ref();
    let clone = kept.clone();
    clone.wake();
    assert_eq!(counting.wakes.load(Ordering::Relaxed), 2);
    let sent = kept.clone();
    thread::spawn(move || sent.wake()).join().expect("it does not panic");
    assert_eq!((counting.wakes.load(Ordering::Relaxed), foreign.counts()), (3, 2));
    // A clone keeps the waker's object alive after the lent waker has gone.
    drop(foreign);
    kept.wake();
    assert_eq!((counting.wakes.load(Ordering::Relaxed), Arc::strong_count(&counting)), (4, 1));
}

#[test]
fn a_foreign_waker_that_goes_on_is_the_one_that_came() {
    let counting = Arc::new(Counting::default());
    let foreign = Foreign::lower(Waker::from(counting));
    let mut kept = None;
    let came = foreign.with(|waker| LoweredWaker::of(waker, &mut kept).cast::<()>());
    assert_eq!(came, foreign.with(Waker::data));
    assert!(kept.is_none(), "nothing was made");
}

#[test]
fn a_waker_that_panics_harms_nobody_on_the_other_side() {
    let counting = Arc::new(Counting { panics: true, ..Counting::default() });
    let foreign = Foreign::lower(Waker::from(Arc::clone(&counting)));
    foreign.with(Waker::wake_by_ref);
    assert_eq!(counting.wakes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_future_sees_the_same_waker_in_each_poll_and_another_when_it_changes() {
    let (fake, host) = pair();
    let seen: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let task = host.spawn({
        let seen = Arc::clone(&seen);
        poll_fn(move |cx| {
            seen.lock().expect("not poisoned").push(cx.waker().clone());
            Poll::Pending
        })
    });
    let mut future = fake.futures.lock().expect("not poisoned").pop().expect("it was spawned");
    let [one, other] = [Arc::new(Counting::default()), Arc::new(Counting::default())];
    for counting in [&one, &one, &other] {
        let waker = Waker::from(Arc::clone(counting));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    assert!(seen[0].will_wake(&seen[1]) && !seen[1].will_wake(&seen[2]));
    drop((task, future));
    seen.into_iter().for_each(Waker::wake);
    let wakes = |counting: &Counting| counting.wakes.load(Ordering::Relaxed);
    assert_eq!((wakes(&one), wakes(&other)), (2, 1));
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (1, 1));
}
