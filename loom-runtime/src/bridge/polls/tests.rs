//! One future among threads, and wakers that are not what they should be.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::hostile::{Hostile, Step};
use super::super::outcome::Queueing;
use super::super::{Outcome, current_is_unwanted};
use super::test_host::{Seen, TestHost};
use super::{Handle, nested_polls, poll_nested};
use crate::scheduler::Wake;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, rounds, thread, unpark_waker};

fn shared<R: Send + 'static>(
    seen: &Arc<Seen>,
    future: impl Future<Output = R> + Send + 'static,
) -> Handle<R, TestHost> {
    let mut handle = Handle::new(future);
    handle.share(TestHost(Arc::clone(seen)), 0, Wake::Begin);
    handle
}

/// Polls where the host says.
fn poll<R>(handle: &mut Handle<R, TestHost>, waker: &Waker) -> Poll<Outcome<R>> {
    handle.poll(&mut Context::from_waker(waker), &mut |host: &TestHost, _turn, _wake, poll| {
        if host.0.goes_to_queue() {
            return Some(Queueing::default());
        }
        poll();
        None
    })
}

/// A thread that runs jobs, and one that wakes, beside the one that awaits.
#[test]
fn a_future_goes_from_thread_to_thread() {
    for round in 0..rounds(3000) {
        let seen = Arc::new(Seen { alternates: round % 2 == 0, ..Seen::default() });
        let (waker, count) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicUsize::new(0)));
        let mut handle = shared(&seen, {
            let (waker, count) = (Arc::clone(&waker), Arc::clone(&count));
            poll_fn(move |cx| {
                *waker.lock().expect("no panic") = Some(cx.waker().clone());
                if count.load(Ordering::Relaxed) < 5 { Poll::Pending } else { Poll::Ready(round) }
            })
        });
        let is_over = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while is_over.load(Ordering::Relaxed) == 0 {
                    if !seen.run_job() {
                        thread::yield_now();
                    }
                }
            });
            scope.spawn(|| {
                while count.fetch_add(1, Ordering::Relaxed) < 6 {
                    let waker = waker.lock().expect("no panic").take();
                    waker.map_or_else(thread::yield_now, Waker::wake);
                }
                while is_over.load(Ordering::Relaxed) == 0 {
                    let waker = waker.lock().expect("no panic").take();
                    waker.map_or_else(thread::yield_now, Waker::wake);
                }
            });
            let own = unpark_waker();
            let outcome = loop {
                match poll(&mut handle, &own) {
                    Poll::Ready(outcome) => break outcome,
                    Poll::Pending => thread::park(),
                }
            };
            is_over.store(1, Ordering::Relaxed);
            assert!(outcome.is_ok_and(|value| value == round));
        });
    }
}

#[test]
fn a_waker_of_the_task_that_panics_breaks_nothing() {
    for step in [Step::Clone, Step::Wake, Step::WakeByRef, Step::Drop] {
        for place in [0, 1] {
            let seen = Arc::new(Seen { place: AtomicUsize::new(place), ..Seen::default() });
            let kept = Arc::new(Mutex::new(None::<Waker>));
            let (keeps, mut polls) = (Arc::clone(&kept), 0);
            let mut handle = shared(
                &seen,
                poll_fn(move |cx| {
                    *keeps.lock().expect("no panic") = Some(cx.waker().clone());
                    polls += 1;
                    if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
                }),
            );
            let hostile = Hostile::default();
            hostile.panics_on(&[step]);
            let mut outcome = None;
            for _ in 0..10 {
                let waker = hostile.waker();
                let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut handle, &waker)));
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(waker)));
                assert!(dropped.is_ok() || step == Step::Drop);
                match polled {
                    Ok(Poll::Ready(ended)) => {
                        outcome = Some(ended);
                        break;
                    }
                    Ok(Poll::Pending) => {}
                    // Nothing has changed, and a good waker gets on.
                    Err(_) => {
                        assert_eq!(step, Step::Clone);
                        hostile.behave();
                    }
                }
                while seen.run_job() {}
                let waker = kept.lock().expect("no panic").take();
                waker.into_iter().for_each(Waker::wake);
                while seen.run_job() {}
            }
            assert!(outcome.is_some_and(|outcome| outcome.is_ok_and(|polls| polls == 3)));
            hostile.behave();
            drop(handle);
            assert_eq!(hostile.live(), 0, "{step:?}");
        }
    }
}

/// A chain of futures, each of which awaits the next one.
fn chain(seen: &Arc<Seen>, depth: u32, leaf: Arc<Mutex<Option<Waker>>>) -> Handle<u32, TestHost> {
    let waits = poll_fn(move |cx| {
        let was_polled = leaf.lock().expect("no panic").replace(cx.waker().clone()).is_some();
        if was_polled { Poll::Ready(0) } else { Poll::Pending }
    });
    (0..depth).fold(shared(seen, waits), |mut below, _| {
        let above = poll_fn(move |cx| {
            poll(&mut below, cx.waker()).map(|outcome| outcome.unwrap_or_default() + 1)
        });
        shared(seen, above)
    })
}

/// A wake goes up through many futures, and a drop down, without a stack as deep.
#[test]
fn a_long_chain_is_woken_and_dropped() {
    const DEPTH: u32 = if cfg!(miri) { 100 } else { 20_000 };
    let seen = Arc::new(Seen::default());
    let leaf = Arc::default();
    let mut top = chain(&seen, DEPTH, Arc::clone(&leaf));
    assert!(poll(&mut top, Waker::noop()).is_pending());
    // Each is polled on the pool, and shows its waker to the next.
    while seen.run_job() {}
    // From here on each wake passes the turn to the task above.
    seen.place.store(1, Ordering::Relaxed);
    let waker = leaf.lock().expect("no panic").clone();
    waker.into_iter().for_each(Waker::wake);
    drop(top);
    assert_eq!(seen.ends().len(), DEPTH as usize + 1);
}

/// A poll on the pool asks whether it is still wanted, while the host's data is in use.
#[test]
fn a_poll_asks_whether_it_is_wanted() {
    let seen = Arc::new(Seen::default());
    let asks = poll_fn(|_| Poll::Ready(current_is_unwanted()));
    let mut handle = shared(&seen, asks);
    assert!(poll(&mut handle, Waker::noop()).is_pending());
    assert!(seen.run_job());
    assert!(matches!(poll(&mut handle, Waker::noop()), Poll::Ready(Ok(Some(false)))));
    assert_eq!(current_is_unwanted(), None);
}

#[test]
fn nested_polls_are_counted() {
    assert_eq!(nested_polls(), 0);
    let seen = poll_nested(|| (nested_polls(), poll_nested(nested_polls)));
    assert_eq!((seen, nested_polls()), ((1, 2), 0));
    let future = pin!(async {});
    assert!(poll_nested(|| future.poll(&mut Context::from_waker(Waker::noop()))).is_ready());
}
