//! Calls of every kind, and how panics reach the caller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::ComputeStreamExt as _;
use loom::plugin::Host;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::attached;

#[loom::compute(hint = "high")]
fn checksum(data: Vec<u8>) -> u64 {
    data.iter().fold(0, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte))
}

#[loom::compute(mode = "offload")]
fn offloaded(n: u64) -> (u64, String) {
    ((0..n).sum(), crate::thread_name())
}

/// The supervisor overrides its mode.
#[loom::compute(mode = "offload")]
fn overridden() -> std::thread::ThreadId {
    std::thread::current().id()
}

/// Through the methods of handles.
pub(crate) fn results() {
    let attached = attached();
    let runtime = attached.runtime().clone();
    let told = attached.block_on(async {
        let spawned = attached.spawn(async { vec![1, 2, 3] }).await.expect("it ends");
        let tokios = runtime.spawn_async(async { String::from("text") }).await.expect("it ends");
        let computed = runtime.spawn_compute(|| (1..=1000_u64).sum::<u64>()).await;
        let adaptive = runtime.spawn_adaptive(|| 6 * 7).await;
        let tried = runtime.try_spawn_compute(|| 1).await.ok();
        let blocked = runtime.spawn_blocking(|| 2).await.ok();
        let mut borrowed = [3, 1, 2];
        runtime.scope_compute(|scope| scope.spawn(|_| borrowed.sort_unstable())).await;
        (spawned, tokios, computed, adaptive, tried, blocked, borrowed)
    });
    let expected = (vec![1, 2, 3], String::from("text"), 500_500, 42, Some(1), Some(2), [1, 2, 3]);
    assert_eq!(told, Ok(expected));
    assert_eq!(runtime.install(|| (0..100_u64).into_par_iter().sum::<u64>()), 4950);
}

/// Through the free functions, in a task on the host's workers.
pub(crate) fn free_functions() {
    let task = attached().spawn(async {
        assert!(loom::current_runtime().is_some());
        let spawned = loom::spawn_async(async { 1 }).await.expect("it ends");
        let computed = loom::spawn_compute(|| 2).await;
        let adaptive = loom::spawn_adaptive(|| 3).await;
        let function = checksum(vec![1, 2, 3]).await;
        let (sum, thread) = offloaded(1000).await;
        assert!(thread.starts_with("host-"), "{thread}");
        assert_eq!(overridden().await, std::thread::current().id());
        for _ in 0..2000 {
            checksum(vec![7]).await;
        }
        let doubled = tokio_stream(10).compute_map(|n| 2 * n);
        let doubled = collect(doubled).await;
        assert_eq!(doubled, (0..10).map(|n| 2 * n).collect::<Vec<_>>());
        let (data, sum_of) =
            loom::scope_compute_with(vec![1, 2], |_, data| data.iter().sum::<u32>()).await;
        assert_eq!((data.len(), sum_of), (2, 3));
        (spawned, computed, adaptive, function, sum)
    });
    let told = attached().block_on(task);
    assert_eq!(told.expect("it may wait").expect("it ends"), (1, 2, 3, 1091, 499_500));
    let functions = loom::functions();
    assert!(functions.iter().any(|function| function.name.contains("checksum")));
}

fn tokio_stream(n: u32) -> impl loom_stream::Stream<Item = u32> + Unpin {
    loom_stream::Counting(0..n)
}

mod loom_stream {
    //! A stream that is always ready.

    pub(super) use futures_core::Stream;
    use std::ops::Range;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(super) struct Counting(pub(super) Range<u32>);

    impl Stream for Counting {
        type Item = u32;

        fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<u32>> {
            Poll::Ready(self.0.next())
        }
    }
}

async fn collect<S: loom_stream::Stream>(stream: S) -> Vec<S::Item> {
    let mut stream = std::pin::pin!(stream);
    let mut items = Vec::new();
    while let Some(item) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        items.push(item);
    }
    items
}

/// Through the host alone, without this library's tokio or rayon.
pub(crate) fn handles_alone() {
    let host: Host = attached().host().clone();
    assert!(host.compute_threads() > 0);
    let (a, b) = host.join(|| 1, || 2).expect("the host is there");
    assert_eq!((a, b), (1, 2));
    let in_task = host.clone();
    let told = attached().spawn_within(loom::plugin::TokioContext::None, async move {
        in_task.sleep(std::time::Duration::from_millis(1)).await;
        in_task.yield_now().await;
        let blocked = in_task.block_in_place(|| 4);
        let computed = in_task.compute(loom::Priority::High, crate::thread_name).await;
        (blocked, computed.expect("it does not panic"))
    });
    let told = attached().block_on(told).expect("it may wait").expect("it ends");
    assert_eq!(told.0, 4);
    assert!(told.1.starts_with("host-"), "{}", told.1);
}

fn fan_out(depth: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let one = attached().spawn(fan_out(depth - 1));
        let other = loom::spawn_async(fan_out(depth - 1));
        let third = tokio::spawn(fan_out(depth - 1));
        one.await.expect("it ends") + other.await.expect("it ends") + third.await.expect("it ends")
    })
}

pub(crate) fn nested_spawns() {
    assert_eq!(attached().block_on(fan_out(5)), Ok(243));
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

fn text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => *payload.downcast::<String>().expect("it is a text"),
    }
}

#[derive(Debug, PartialEq)]
struct Payload(u32);

/// Each panic becomes an error with its payload, and later work still runs.
pub(crate) fn panics() {
    std::panic::set_hook(Box::new(|_| {}));
    let attached = attached();
    let runtime = attached.runtime().clone();
    for _ in 0..20 {
        let done = attached.block_on(async {
            let error = attached.spawn(async { panic!("in a task") }).await.map(|(): ()| ());
            assert_eq!(
                text(error.expect_err("it panics").try_into_panic().expect("a panic")),
                "in a task"
            );
            let thrown = attached.spawn(async { std::panic::panic_any(Payload(7)) }).await;
            let thrown = thrown.map(|(): ()| ()).expect_err("it panics").try_into_panic();
            let thrown = thrown.expect("a panic");
            assert_eq!(thrown.downcast_ref(), Some(&Payload(7)));

            let error = loom::spawn_async(async { panic!("of tokio's") }).await.map(|(): ()| ());
            assert_eq!(text(error.expect_err("it panics").into_panic()), "of tokio's");

            // The drop of a task's value panics, when the task ends and when it is aborted.
            let held = PanicsInDrop;
            let error = attached.spawn(async move { drop(held) }).await;
            assert_eq!(
                text(error.expect_err("it panics").try_into_panic().expect("a panic")),
                "in a drop"
            );
            let kept = PanicsInDrop;
            let task = attached.spawn(async move {
                let _kept = kept;
                std::future::pending::<()>().await;
            });
            task.abort();
            assert_eq!(
                text(task.await.expect_err("it panics").try_into_panic().expect("a panic")),
                "in a drop"
            );

            let error = runtime.try_spawn_compute(|| -> () { panic!("in compute") }).await;
            let payload = error.expect_err("it panics").into_panic().expect("a panic");
            assert_eq!(text(payload), "in compute");
            let error = attached.host().compute(loom::Priority::Normal, || -> () {
                panic!("at the host's");
            });
            let payload = error.await.expect_err("it panics").into_panic().expect("a panic");
            assert_eq!(text(payload), "at the host's");
        });
        assert_eq!(done, Ok(()));
        let joined = attached.host().join(|| 1, || -> u32 { panic!("in join") });
        let payload = joined.expect_err("it panics").into_panic().expect("a panic");
        assert_eq!(text(payload), "in join");
        let installed = catch_unwind(AssertUnwindSafe(|| {
            runtime.install(|| rayon::join(|| panic!("in rayon"), || ()))
        }));
        assert_eq!(text(installed.expect_err("it panics")), "in rayon");
        let blocked =
            catch_unwind(AssertUnwindSafe(|| attached.block_on(async { panic!("in block_on") })));
        assert_eq!(
            text(blocked.map(|done: Result<(), _>| done).expect_err("it panics")),
            "in block_on"
        );
        let in_place = catch_unwind(AssertUnwindSafe(|| {
            attached.host().block_in_place(|| panic!("in place"))
        }));
        assert_eq!(text(in_place.map(|(): ()| ()).expect_err("it panics")), "in place");
    }
    let _ = std::panic::take_hook();
    results();
}

/// Joins are nested deeper than there are threads.
pub(crate) fn nested_joins() {
    fn sum(host: &Host, from: u64, to: u64) -> u64 {
        if to - from < 3 {
            return (from..to).sum();
        }
        let middle = from.midpoint(to);
        let (a, b) = host
            .join(|| sum(host, from, middle), || sum(host, middle, to))
            .expect("the host is there");
        a + b
    }
    fn rayons(from: u64, to: u64) -> u64 {
        if to - from < 3 {
            return (from..to).sum();
        }
        let middle = from.midpoint(to);
        let (a, b) = rayon::join(|| rayons(from, middle), || rayons(middle, to));
        a + b
    }
    let attached = attached();
    let host = attached.host().clone();
    assert_eq!(sum(&host, 0, 1000), 499_500);
    assert_eq!(attached.runtime().install(|| rayons(0, 1000)), 499_500);
    // From threads of either pool to the other pool.
    let (at_host, here) = (host.clone(), host.clone());
    let pool = attached.runtime().clone();
    let told = attached.block_on(async {
        let from_host = host.compute(loom::Priority::Normal, move || {
            sum(&at_host, 0, 100) + pool.install(|| rayons(0, 100) + sum(&at_host, 0, 100))
        });
        let from_here = loom::spawn_compute(move || sum(&here, 0, 100) + rayons(0, 100));
        (from_host.await.expect("it does not panic"), from_here.await)
    });
    assert_eq!(told, Ok((3 * 4950, 2 * 4950)));
}

/// A mixture of calls, repeated often, so that two plug-ins run at the same time.
pub(crate) fn mixture() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    DONE.store(0, Ordering::Relaxed);
    let done = attached().block_on(async {
        let tasks: Vec<_> = (0..200_u64)
            .map(|n| {
                attached().spawn(async move {
                    let sum = loom::spawn_compute(move || (0..n).into_par_iter().sum::<u64>());
                    tokio::task::yield_now().await;
                    assert_eq!(sum.await, (0..n).sum::<u64>());
                    checksum(vec![1; 64]).await;
                    DONE.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    assert_eq!((done, DONE.load(Ordering::Relaxed)), (Ok(()), 200));
}

/// Runs on a compute thread of the host, which may be the only one.
pub(crate) fn nested_joins_there() {
    let host = attached().host().clone();
    let (a, b) = host
        .join(|| host.join(|| 1, || 2).ok(), || host.join(|| 3, || 4).ok())
        .expect("it is there");
    assert_eq!((a, b), (Some((1, 2)), Some((3, 4))));
    let parallel = attached().runtime().install(|| (0..1000_u64).into_par_iter().sum::<u64>());
    assert_eq!(parallel, 499_500);
}
