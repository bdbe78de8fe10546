//! How compute futures end: by drops, panics, and the end of their runtime.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;

use super::runtime;

/// Tells of its drop.
struct Told(mpsc::Sender<&'static str>, &'static str);

impl Drop for Told {
    fn drop(&mut self) {
        // The test may have gone.
        let _ = self.0.send(self.1);
    }
}

#[loom::compute(mode = "offload")]
async fn waits_on_the_pool(told: Told, begins: oneshot::Sender<()>) {
    let _told = told;
    begins.send(()).expect("it is received");
    pending::<()>().await;
}

#[loom::compute(mode = "inline")]
async fn waits_here(told: Told, begins: oneshot::Sender<()>) {
    let _told = told;
    begins.send(()).expect("it is received");
    pending::<()>().await;
}

#[test]
fn a_drop_ends_a_future_that_waits() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        for is_on_pool in [false, true] {
            let (sender, receiver) = mpsc::channel();
            let (begins, begun) = oneshot::channel();
            let told = Told(sender, "dropped");
            let call: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = if is_on_pool {
                Box::pin(waits_on_the_pool(told, begins))
            } else {
                Box::pin(waits_here(told, begins))
            };
            tokio::select! {
                () = call => unreachable!("it waits"),
                begun = begun => begun.expect("it has begun"),
            }
            assert_eq!(receiver.recv(), Ok("dropped"));
        }
        // Nothing is left that a graceful end would wait for.
    });
    runtime.shutdown();
    runtime.block_until_idle();
}

#[test]
fn a_queued_poll_is_cancelled() {
    let runtime = runtime(1, 1);
    let (release, held_up) = mpsc::channel::<()>();
    let blocker = runtime.spawn_compute(move || held_up.recv());
    let (sender, receiver) = mpsc::channel();
    let told = Told(sender, "dropped");
    let mut queued = Box::pin(runtime.spawn_compute_future(async move {
        let _told = told;
        unreachable!("it never starts");
    }));
    assert!(queued.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(queued);
    assert_eq!(receiver.recv(), Ok("dropped"), "at once");
    drop(release);
    assert!(runtime.block_on(blocker).is_err());
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
}

#[test]
fn a_poll_that_runs_learns_that_it_is_given_up() {
    let runtime = runtime(1, 1);
    let (begins, begun) = mpsc::channel();
    let (ends, ended) = mpsc::channel();
    let mut call = Box::pin(runtime.spawn_compute_future(async move {
        begins.send(()).expect("it is received");
        while !loom::is_cancelled() {
            std::hint::spin_loop();
        }
        ends.send(()).expect("it is received");
    }));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    begun.recv().expect("it has begun");
    drop(call);
    ended.recv().expect("it has seen it");
}

#[test]
fn what_is_detached_runs_to_its_end() {
    let runtime = runtime(1, 1);
    let (sender, receiver) = mpsc::channel();
    let again = sender.clone();
    runtime
        .spawn_compute_future(async move {
            loom::yield_now().await;
            sender.send(1).expect("it is received");
        })
        .detach();
    runtime.block_on(async {
        drop(loom::spawn_adaptive_future(async move {
            let mut timer = tokio::time::interval(Duration::from_millis(1));
            timer.tick().await;
            timer.tick().await;
            again.send(2).expect("it is received");
        }));
    });
    let mut seen: Vec<_> = receiver.iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2]);
    runtime.shutdown();
    runtime.block_until_idle();
}

#[loom::compute(mode = "offload")]
async fn panics_on_the_pool() -> u32 {
    loom::yield_now().await;
    panic!("on purpose");
}

#[loom::compute(mode = "inline")]
async fn panics_here() -> u32 {
    loom::yield_now().await;
    panic!("on purpose");
}

#[test]
fn a_panic_reaches_the_caller() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        for _ in 0..3 {
            for call in [tokio::spawn(panics_on_the_pool()), tokio::spawn(panics_here())] {
                let payload = call.await.expect_err("it panics").into_panic();
                assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
            }
        }
        let failed = loom::try_spawn_compute_future(async { panics_here().await }).await;
        let payload = failed.expect_err("it panics").into_panic().expect("a panic");
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        assert_eq!(loom::spawn_compute(|| 1).await, 1);
    });
}

#[test]
fn a_panic_of_a_drop_is_nobodys() {
    struct Hostile;
    impl Drop for Hostile {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "a drop that panics on purpose");
        }
    }
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        let hostile = Hostile;
        let call = loom::spawn_compute_future(async move {
            let _hostile = hostile;
            pending::<()>().await;
        });
        let gave_up = tokio::time::timeout(Duration::from_millis(5), call).await;
        assert!(gave_up.is_err());
        assert_eq!(loom::spawn_compute(|| 1).await, 1);
    });
}

#[test]
fn a_runtime_ends_with_futures_in_every_state() {
    for round in 0..20 {
        let runtime = runtime(1, 1);
        let (sender, receiver) = mpsc::channel();
        let told = |name| Told(sender.clone(), name);
        // One that waits, one whose poll runs, one that is queued, and one that was never polled.
        let waits = told("waits");
        runtime
            .spawn_compute_future(async move {
                let _told = waits;
                let mut timer = tokio::time::interval(Duration::from_secs(3600));
                timer.tick().await;
                timer.tick().await;
            })
            .detach();
        let (begins, begun) = mpsc::channel();
        let (release, held_up) = mpsc::channel::<()>();
        let runs = told("runs");
        runtime
            .spawn_compute_future(async move {
                let _told = runs;
                begins.send(()).expect("it is received");
                let _ = held_up.recv();
            })
            .detach();
        begun.recv().expect("it runs");
        let queued = told("queued");
        let call = runtime.spawn_compute_future(async move {
            let _told = queued;
            pending::<()>().await;
        });
        let unpolled = told("unpolled");
        let (begins, _begun) = oneshot::channel();
        let lazy = waits_here(unpolled, begins);
        if round % 2 == 0 {
            drop(release);
            runtime.shutdown_timeout(Duration::from_millis(1));
        } else {
            runtime.shutdown_background();
            drop(release);
        }
        drop((call, lazy, sender));
        let mut seen: Vec<_> = receiver.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, ["queued", "runs", "unpolled", "waits"]);
    }
}

#[test]
fn a_runtime_that_has_ended_refuses_futures() {
    let runtime = runtime(1, 1);
    let other = runtime.clone();
    runtime.shutdown_timeout(Duration::from_secs(10));
    let refused =
        std::panic::catch_unwind(AssertUnwindSafe(|| other.spawn_compute_future(async {})));
    assert!(refused.is_err());
    let mut refused = Box::pin(other.try_spawn_compute_future(async {}));
    let polled = refused.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(loom::ComputeError::ShutDown))));
}

/// A wake after the end, and after the drop, does nothing.
#[test]
fn a_late_wake_does_nothing() {
    let runtime = runtime(1, 1);
    let (sender, receiver) = mpsc::channel::<Waker>();
    let keeps = sender.clone();
    let call = runtime.spawn_compute_future(std::future::poll_fn(move |cx| {
        keeps.send(cx.waker().clone()).expect("it is received");
        Poll::Ready(Arc::new(1))
    }));
    let late = receiver.recv().expect("it was polled");
    assert_eq!(*runtime.block_on(call), 1);
    late.wake_by_ref();
    drop(runtime);
    late.wake();
    drop(sender);
}
