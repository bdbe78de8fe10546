//! The end of tasks, and the end of hosts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::{Counted, attached, until};

pub(crate) fn abort_drops_once() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for kind in 0..3 {
        DROPS.store(0, Ordering::Relaxed);
        const TASKS: usize = 200;
        for n in 0..TASKS {
            let held = Counted::new(&DROPS);
            let future = async move {
                let _held = held;
                if kind == 1 {
                    tokio::task::yield_now().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            let attached = attached();
            if kind == 2 {
                let task = attached.runtime().spawn_async(future);
                task.abort();
                let error = attached.block_on(task).expect("it may wait");
                assert!(error.expect_err("it was aborted").is_cancelled());
                continue;
            }
            let task = attached.spawn(future);
            if n % 2 == 0 {
                std::thread::yield_now();
            }
            task.abort();
            task.abort();
            let ended = attached.block_on(task).expect("it may wait");
            assert!(kind == 1 || ended.expect_err("it was aborted").is_cancelled());
        }
        until(|| DROPS.load(Ordering::Relaxed) == TASKS);
    }
}

/// Waits for `time`, as work of that length would.
async fn wait(time: Duration) {
    let _over = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

static PENDING: AtomicUsize = AtomicUsize::new(0);
const LEFT: usize = 20;

/// Leaves tasks that never end, in every kind of wait.
pub(crate) fn leaves_pending() {
    PENDING.store(0, Ordering::Relaxed);
    for n in 0..LEFT {
        let held = Counted::new(&PENDING);
        let host = attached().host().clone();
        let future = async move {
            let _held = held;
            match n % 4 {
                0 => std::future::pending().await,
                1 => wait(Duration::from_secs(1000)).await,
                2 => host.sleep(Duration::from_secs(1000)).await,
                _ => loom::spawn_async(std::future::pending()).await.unwrap_or(()),
            }
        };
        if n % 2 == 0 {
            drop(attached().spawn(future));
        } else {
            drop(loom::spawn_async(future));
        }
    }
}

pub(crate) fn pending_were_dropped() {
    until(|| PENDING.load(Ordering::Relaxed) == LEFT);
}

static SLEEPERS: AtomicUsize = AtomicUsize::new(0);

/// Leaves tasks and compute calls that take a short time.
pub(crate) fn leaves_sleepers() {
    SLEEPERS.store(0, Ordering::Relaxed);
    for _ in 0..LEFT {
        drop(attached().spawn(async {
            wait(Duration::from_millis(20)).await;
            // Work that is being finished may still need compute.
            loom::spawn_compute(|| {
                SLEEPERS.fetch_add(1, Ordering::Relaxed);
            })
            .await;
        }));
        loom::spawn_compute(|| {
            std::thread::park_timeout(Duration::from_millis(1));
            SLEEPERS.fetch_add(1, Ordering::Relaxed);
        })
        .detach();
    }
}

pub(crate) fn sleepers_have_ended() {
    assert_eq!(SLEEPERS.load(Ordering::Relaxed), 2 * LEFT);
}

static TOLD: Notify = Notify::const_new();

pub(crate) fn leaves_one_until_told() {
    drop(attached().spawn(async { TOLD.notified().await }));
}

pub(crate) fn tells_it() {
    TOLD.notify_one();
}

/// After the host has ended, each request is refused with an error text.
pub(crate) fn is_refused_after_the_end() {
    std::panic::set_hook(Box::new(|_| {}));
    let words = |f: fn()| {
        let payload = std::panic::catch_unwind(f).expect_err("it is refused");
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    };
    for ended in [
        words(|| drop(attached().spawn(async {}))),
        words(|| drop(loom::spawn_async(async {}))),
        words(|| loom::spawn_compute(|| ()).detach()),
    ] {
        let text = ended.unwrap_or_default();
        assert!(text.contains("has been shut down"), "{text}");
    }
    let blocked = attached().block_on(async {});
    assert_eq!(blocked, Err(loom::plugin::BlockOnError::ShutDown));
    assert!(attached().host().join(|| (), || ()).is_err());
    let _ = std::panic::take_hook();
}

static KEPT: Mutex<Option<loom::plugin::Attached>> = Mutex::new(None);

/// Keeps a handle, or drops the one that is kept.
pub(crate) fn keeps_a_handle() {
    let mut kept = KEPT.lock().expect("nobody panics");
    *kept = if kept.is_some() { None } else { loom::plugin::current() };
}

static AWAITED: AtomicUsize = AtomicUsize::new(0);

/// Threads of this library await tasks through tokio's handles while the host ends.
pub(crate) fn awaits_from_a_thread() {
    AWAITED.store(0, Ordering::Relaxed);
    for _ in 0..LEFT {
        let task = loom::spawn_async(async {
            wait(Duration::from_millis(5)).await;
            1
        });
        std::thread::spawn(move || {
            let waker = std::task::Waker::noop();
            let mut task = std::pin::pin!(task);
            let mut cx = std::task::Context::from_waker(waker);
            let ended = loop {
                if let std::task::Poll::Ready(ended) = task.as_mut().poll(&mut cx) {
                    break ended;
                }
                std::thread::yield_now();
            };
            AWAITED.fetch_add(ended.expect("it has ended before its host"), Ordering::Relaxed);
        });
    }
}

pub(crate) fn what_was_awaited_came() {
    until(|| AWAITED.load(Ordering::Relaxed) == LEFT);
}

static SPINS: AtomicUsize = AtomicUsize::new(0);

/// Computes until `stops_computing` is called.
pub(crate) fn computes_until_told() {
    SPINS.store(1, Ordering::Relaxed);
    loom::spawn_compute(|| {
        SPINS.store(2, Ordering::Relaxed);
        until(|| SPINS.load(Ordering::Relaxed) == 0);
    })
    .detach();
    until(|| SPINS.load(Ordering::Relaxed) == 2);
}

pub(crate) fn stops_computing() {
    SPINS.store(0, Ordering::Relaxed);
}

pub(crate) fn is_attached_to_nothing() {
    assert!(loom::plugin::current().is_none());
    assert!(loom::current_runtime().is_none());
}

/// A blocking function on a thread of this library's tokio, whose handle was lent out.
pub(crate) fn blocks_until_told() {
    SPINS.store(1, Ordering::Relaxed);
    let attached = attached();
    let lent = attached.runtime().tokio_runtime();
    drop(lent.spawn_blocking(|| {
        SPINS.store(2, Ordering::Relaxed);
        until(|| SPINS.load(Ordering::Relaxed) == 0);
    }));
    until(|| SPINS.load(Ordering::Relaxed) == 2);
}

/// Calls that come after a refused unload are refused.
pub(crate) fn refuses_what_comes_late() {
    std::panic::set_hook(Box::new(|_| {}));
    let computed = std::panic::catch_unwind(|| loom::spawn_compute(|| ()).detach());
    let _ = std::panic::take_hook();
    let payload = computed.expect_err("it is refused");
    let text = payload.downcast_ref::<String>().expect("a text");
    assert!(text.contains("has been shut down"), "{text}");
    assert!(loom::plugin::current().is_none());
}
