//! Timers that are registered, given another waker, fired and abandoned while a driver is about to
//! sleep, under the model checker.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::timers::{Timer, Timers};
use crate::sync::Arc as StdArc;
use crate::sync::explore::{explore, reach};

/// Wakes a thread of the model. Wakers need an `Arc` of std, so the model's `Arc` is inside.
struct Waking(Arc<Notify>);

impl Wake for Waking {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

fn waking() -> (Arc<Notify>, Waker) {
    let notify = Arc::new(Notify::new());
    let waker = Waker::from(StdArc::new(Waking(Arc::clone(&notify))));
    (notify, waker)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (notify, waker) = waking();
    let mut future = pin!(future);
    for polls in 0.. {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                reach(if polls == 0 { "ready at once" } else { "woken" });
                return result;
            }
            Poll::Pending => notify.wait(),
        }
    }
    unreachable!("it polls without end")
}

/// Waits for a timer with another waker at each poll, as a task that moves between executors does.
fn wait(timers: &Timers, deadline: Instant) -> impl Future<Output = Timer> {
    let mut key = None;
    poll_fn(move |cx| match key {
        None => {
            key = timers.register(deadline, cx.waker().clone());
            if key.is_some() { Poll::Pending } else { Poll::Ready(Timer::Abandoned) }
        }
        Some(key) => match timers.look(key, cx.waker()) {
            Timer::Waits => Poll::Pending,
            other => Poll::Ready(other),
        },
    })
}

#[test]
fn a_driver_that_goes_to_sleep_sees_every_timer() {
    explore(3, &["woken"], || {
        let now = Instant::now();
        let timers = StdArc::new(Timers::new());
        let (notify, waker) = waking();
        timers.add_driver(waker);
        let registering = {
            let timers = StdArc::clone(&timers);
            thread::spawn(move || block_on(wait(&timers, now)))
        };
        let mut due = Vec::new();
        while timers.first().is_none() {
            notify.wait();
        }
        timers.advance(now, &mut due);
        assert_eq!(registering.join().expect("no panic"), Timer::Fired);
    });
}

#[test]
fn another_waker_is_the_one_that_wakes() {
    explore(3, &["ready at once", "woken"], || {
        let now = Instant::now();
        let timers = StdArc::new(Timers::new());
        timers.add_driver(Waker::noop().clone());
        let mut waiting = Box::pin({
            let timers = StdArc::clone(&timers);
            async move { wait(&timers, now).await }
        });
        // The first poll has a waker that does nothing.
        let _ = Pin::new(&mut waiting).poll(&mut Context::from_waker(Waker::noop()));
        let firing = {
            let timers = StdArc::clone(&timers);
            thread::spawn(move || timers.advance(now, &mut Vec::new()))
        };
        assert_eq!(block_on(waiting), Timer::Fired);
        firing.join().expect("no panic");
    });
}

#[test]
fn nobody_waits_for_a_driver_that_has_gone() {
    explore(3, &["ready at once", "woken"], || {
        let timers = StdArc::new(Timers::new());
        let driver = timers.add_driver(Waker::noop().clone());
        let waiting = {
            let timers = StdArc::clone(&timers);
            let later = Instant::now() + Duration::from_secs(60);
            thread::spawn(move || block_on(wait(&timers, later)))
        };
        timers.remove_driver(driver);
        assert_eq!(waiting.join().expect("no panic"), Timer::Abandoned);
    });
}
