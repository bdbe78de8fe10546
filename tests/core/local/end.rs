//! How local cores end, with their runtime.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use loom::local::CoreState;

use super::with_cores;

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let core = loom::local::current().expect("a future is dropped on its core");
        assert!(core.task_count() > 0);
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn tasks_are_tracked_until_they_end() {
    let runtime = with_cores(1);
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let task = runtime.local(0).spawn_with(|| async move { held.await.is_ok() });
    let inner =
        runtime.local(0).spawn_with(|| async { loom::local::spawn(async {}).await.is_ok() });
    assert!(runtime.block_on(inner).expect("no panic"));
    runtime.shutdown();
    assert!(!runtime.is_idle());
    release.send(()).expect("it waits");
    runtime.block_until_idle();
    assert!(runtime.is_idle());
    let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    assert_eq!(host.block_on(task).ok(), Some(true));
}

#[test]
fn tasks_are_counted_whoever_made_them() {
    let runtime = with_cores(2);
    let core = runtime.local(0);
    let own = core.spawn_with(|| async {
        for _ in 0..9 {
            drop(loom::local::spawn(pending::<()>()));
        }
        pending::<()>().await;
    });
    drop(runtime.local(1).spawn_with(pending::<()>));
    for n in 0..2 {
        let fence = runtime.local(n).spawn_with(|| async {});
        runtime.block_on(fence).expect("no panic");
    }
    let metrics = runtime.prometheus_metrics();
    assert_eq!((core.task_count(), metrics.local_tasks.get()), (10, 11));
    assert_eq!(metrics.inflight_tasks.get(), 11);
    own.abort();
    let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    assert!(host.block_on(own).expect_err("it was aborted").is_cancelled());
    assert_eq!(runtime.shutdown_timeout(Duration::ZERO).tasks, 10);
}

#[test]
#[should_panic(expected = "the runtime has been shut down")]
fn a_core_takes_nothing_new_after_the_end() {
    let runtime = with_cores(1);
    let core = runtime.local(0);
    runtime.block_until_idle();
    drop(core.spawn_with(|| async {}));
}

#[test]
fn the_end_drops_what_is_left_on_its_core_once() {
    for by_timeout in [false, true] {
        let runtime = with_cores(2);
        let drops = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..20)
            .map(|n| {
                let with = Dropped(Arc::clone(&drops));
                runtime.local(n % 2).spawn_with(move || async move {
                    let _with = with;
                    let _ = tokio::time::timeout(Duration::from_secs(3600), pending::<()>()).await;
                })
            })
            .collect();
        // Waits until both tasks have begun.
        for n in 0..2 {
            let fence = runtime.local(n).spawn_with(|| async {});
            runtime.block_on(fence).expect("no panic");
        }
        let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        if by_timeout {
            let left = runtime.shutdown_timeout(Duration::ZERO);
            assert_eq!(left.tasks, 20);
        } else {
            drop(runtime);
            assert_eq!(drops.load(Ordering::SeqCst), 20, "a drop waits for them");
        }
        for handle in handles {
            assert!(host.block_on(handle).expect_err("it was cut short").is_cancelled());
        }
        assert_eq!(drops.load(Ordering::SeqCst), 20);
    }
}

#[test]
fn a_core_may_be_what_ends_its_runtime() {
    let runtime = with_cores(2);
    let (sender, over) = mpsc::channel::<()>();
    let core = runtime.local(0);
    let last = runtime.clone();
    drop(core.spawn_with(move || async move {
        let _over = sender;
        tokio::task::yield_now().await;
        // The last handle is dropped on the core, where the drop must not wait.
        drop(last);
        pending::<()>().await;
    }));
    drop(runtime);
    assert_eq!(over.recv(), Err(mpsc::RecvError), "the task was dropped");
}

#[test]
fn a_runtime_that_ends_in_the_background_ends_its_cores() {
    let runtime = with_cores(1);
    let (sender, over) = mpsc::channel::<()>();
    drop(runtime.local(0).spawn_with(move || async move {
        let _over = sender;
        pending::<()>().await;
    }));
    let kept = runtime.clone();
    assert_eq!(runtime.shutdown_background().tasks, 1);
    assert_eq!(over.recv(), Err(mpsc::RecvError), "the task was dropped");
    drop(kept);
}

#[test]
fn state_is_dropped_where_tokio_is() {
    struct Cleans(mpsc::Sender<bool>);
    impl Drop for Cleans {
        fn drop(&mut self) {
            let spawned = tokio::runtime::Handle::try_current().map(|tokio| tokio.spawn(async {}));
            let _ = self.0.send(spawned.is_ok());
        }
    }
    let (sender, cleaned) = mpsc::channel();
    let state = CoreState::new(move |_| Cleans(sender.clone()));
    let runtime = with_cores(1);
    let task = runtime.local(0).spawn_with(move || async move { state.with(|_| ()).is_ok() });
    assert_eq!(runtime.block_on(task).ok(), Some(true));
    drop(runtime);
    assert_eq!(cleaned.recv(), Ok(true));
}

#[test]
fn a_core_that_is_stuck_is_left_behind() {
    let runtime = with_cores(1);
    let (release, held) = mpsc::channel::<()>();
    let (sender, over) = mpsc::channel::<()>();
    let (begins, begun) = mpsc::channel();
    drop(runtime.local(0).spawn_with(move || async move {
        let _over = sender;
        begins.send(()).expect("it listens");
        // Blocks the core, as a loop without an await would.
        let _released = held.recv();
        pending::<()>().await;
    }));
    begun.recv().expect("it has begun");
    assert_eq!(runtime.shutdown_timeout(Duration::from_millis(20)).tasks, 1);
    assert_eq!(over.try_recv(), Err(mpsc::TryRecvError::Empty), "it is still there");
    drop(release);
    assert_eq!(over.recv(), Err(mpsc::RecvError), "and ends once it may");
}

#[test]
fn five_hundred_runtimes_come_and_go() {
    for n in 0..500 {
        let runtime = with_cores(1 + n % 2);
        let task = runtime.local(0).spawn_with(move || async move { n });
        if n % 3 == 0 {
            assert_eq!(runtime.block_on(task).ok(), Some(n));
        }
    }
}
