//! A driver that comes with another waker while the one before is taken out, under the model checker.
//!
//! Three mutants of `DriverWaker` fail this: it arms the cell before it has stored the waker, it arms
//! the cell with a relaxed store, and it keeps the waker before.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::sync::{Arc, Notify};
use loom_model::thread;

use super::Executor;
use crate::sync::Arc as StdArc;
use crate::sync::explore::explore;

/// Wakes a thread of the model. Wakers need an `Arc` of std, so the model's `Arc` is inside.
struct Waking(Arc<Notify>);

impl Wake for Waking {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

#[test]
fn a_wake_goes_to_the_latest_driver() {
    explore(3, &[], || {
        let (flag, shown) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(loom_model::sync::Mutex::new(None)));
        let mut executor = Executor::new(1);
        let task = executor.spawn({
            let (flag, shown) = (Arc::clone(&flag), Arc::clone(&shown));
            poll_fn(move |cx| {
                // Relaxed: the executor makes the write before a wake visible to the poll.
                if flag.load(Ordering::Relaxed) == 1 {
                    return Poll::Ready(());
                }
                *shown.lock().expect("no panic") = Some(cx.waker().clone());
                Poll::Pending
            })
        });
        // Nobody waits for a wake of this driver any more.
        assert!(executor.poll_in(&Context::from_waker(Waker::noop())).is_pending());
        let waker = shown.lock().expect("no panic").take().expect("it was polled");
        let waking = thread::spawn(move || {
            flag.store(1, Ordering::Relaxed);
            waker.wake();
        });
        let notify = Arc::new(Notify::new());
        let waker = Waker::from(StdArc::new(Waking(Arc::clone(&notify))));
        let mut run = pin!(executor.run_until(task));
        while run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            notify.wait();
        }
        waking.join().expect("no panic");
    });
}
