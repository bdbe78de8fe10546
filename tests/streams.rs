//! Streams that compute: order, back-pressure, panics and cancellation.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use loom::mab::{ComputeHint, ComputeHintProvider};
use loom::{ComputePriority, ComputeStreamExt, LoomBuilder, LoomRuntime};
use tokio_stream::{StreamExt, iter};

/// A builder of a runtime whose compute work stays in one class. Where it may move to another class, it
/// moves to other threads, and those that a test keeps busy keep nothing back.
fn threads(tokio: usize, rayon: usize) -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(tokio).rayon_threads(rayon);
    builder.compute_priority(ComputePriority::Normal)
}

fn runtime() -> LoomRuntime {
    threads(2, 2).build().expect("it starts")
}

/// Far longer than anything here takes.
const HANGS: Duration = Duration::from_secs(60);

/// Lets calls pass in pairs: a call waits until a second one arrives.
#[derive(Default)]
struct Pairs(Mutex<usize>, Condvar);

impl Pairs {
    fn meet(&self) {
        let mut came = self.0.lock().expect("not poisoned");
        *came += 1;
        let whole = came.div_ceil(2) * 2;
        self.1.notify_all();
        let wait = self.1.wait_timeout_while(came, HANGS, |came| *came < whole);
        assert!(!wait.expect("not poisoned").1.timed_out(), "it was alone");
    }
}

#[test]
fn as_many_items_as_there_are_threads_are_computed_at_once_and_in_order() {
    let runtime = runtime();
    let pairs = Arc::new(Pairs::default());
    let seen: Vec<u32> = runtime.block_on(async move {
        iter(0..20)
            .compute_map(move |n| {
                pairs.meet();
                n
            })
            .collect()
            .await
    });
    assert!(seen.into_iter().eq(0..20));
}

#[test]
fn results_come_as_they_are_done_where_order_is_no_matter() {
    let runtime = runtime();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    runtime.block_on(async {
        let mut stream = pin!(
            iter(0..10)
                .compute_map(move |n| {
                    if n == 0 {
                        held.lock().expect("not poisoned").recv().expect("it is released");
                    }
                    n
                })
                .unordered()
        );
        let mut seen = Vec::new();
        for _ in 1..10 {
            seen.push(stream.next().await.expect("there are more"));
        }
        release.send(()).expect("it waits");
        assert_eq!(stream.next().await, Some(0), "the first is the last");
        assert_eq!(stream.next().await, None);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..10));
    });
}

/// Numbers from 0, and a count of how many were taken.
struct Counted(u32, Arc<AtomicUsize>);

impl Stream for Counted {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0 += 1;
        Poll::Ready(Some(self.0 - 1))
    }
}

#[test]
fn whoever_reads_slowly_slows_the_stream_down() {
    let runtime = runtime();
    let taken = Arc::new(AtomicUsize::new(0));
    let source = Counted(0, Arc::clone(&taken));
    runtime.block_on(async {
        let mut stream = pin!(source.compute_map(|n| n).in_flight(3));
        assert_eq!(taken.load(Ordering::Relaxed), 0);
        for expected in 0..100 {
            assert_eq!(stream.next().await, Some(expected));
            let ahead = taken.load(Ordering::Relaxed) - (expected as usize + 1);
            assert!(ahead <= 3, "{ahead} are in flight");
        }
    });
}

#[test]
fn a_panic_ends_the_stream_there_and_nothing_else() {
    let runtime = runtime();
    for is_adaptive in [false, true] {
        let work = |n: u32| if n == 3 { panic_any(n) } else { n };
        let mut stream: Pin<Box<dyn Stream<Item = u32>>> = if is_adaptive {
            Box::pin(iter(0..10).adaptive_map(work))
        } else {
            Box::pin(iter(0..10).compute_map(work))
        };
        let mut next =
            || catch_unwind(AssertUnwindSafe(|| runtime.block_on(stream.as_mut().next())));
        for expected in 0..3 {
            assert_eq!(next().expect("no panic yet"), Some(expected));
        }
        assert_eq!(next().expect_err("it panics").downcast_ref(), Some(&3_u32));
        assert_eq!(next().expect("it has ended"), None);
        assert_eq!(runtime.block_on(runtime.spawn_compute(|| 7)), 7);
    }
}

#[test]
fn dropping_the_stream_cancels_what_has_not_started() {
    let runtime = threads(1, 1).build();
    let runtime = runtime.expect("it starts");
    let (running, runs) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let work = move |n: u32| {
        running.send(n).expect("the test waits");
        counted.fetch_add(1, Ordering::Relaxed);
        // Returns once the sender is dropped.
        let _released = held.lock().expect("not poisoned").recv();
    };
    let mut stream = Box::pin(iter(0..100).compute_map(work).in_flight(10).on(&runtime));
    // Polled outside of any runtime; only the first item is ever polled.
    assert!(stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(runs.recv(), Ok(0));
    assert_eq!(runtime.compute_tasks_in_flight(), 10);
    drop(stream);
    drop(release);
    runtime.block_until_idle();
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

struct Dear(u32);

impl ComputeHintProvider for Dear {
    fn compute_hint(&self) -> ComputeHint {
        if self.0 == 0 { ComputeHint::Low } else { ComputeHint::High }
    }
}

/// For each item, whether it was computed on the pool.
fn placed(items: impl Stream<Item = Dear>) -> impl Stream<Item = bool> {
    items.adaptive_map(|_| rayon::current_thread_index().is_some()).hint_by(Dear::compute_hint)
}

#[test]
fn adaptive_streams_go_by_the_hints_of_their_items() {
    let runtime = runtime();
    let first = |dear: u32| {
        runtime.block_on(async {
            let mut stream = pin!(placed(iter([Dear(dear)])));
            stream.next().await.expect("there is one")
        })
    };
    assert!(first(1), "dear work goes to the pool");
    let cheap: Vec<bool> = runtime.block_on(async { placed(iter([Dear(0)])).collect().await });
    assert_eq!(cheap, [false]);
}

#[test]
fn adaptive_streams_of_cheap_work_let_other_tasks_run() {
    let runtime = threads(1, 1).build();
    let runtime = runtime.expect("it starts");
    runtime
        .block_on(runtime.spawn_async(async {
            let (tell, told) = tokio::sync::oneshot::channel();
            tokio::spawn(async move { tell.send(()) });
            let mut told = pin!(told);
            let mut stream = pin!(Counted(0, Arc::default()).adaptive_map(|n| n));
            // The stream is endless and always ready.
            loop {
                stream.next().await;
                let has_run = poll_fn(|cx| Poll::Ready(told.as_mut().poll(cx).is_ready())).await;
                if has_run {
                    break;
                }
            }
        }))
        .expect("no panic");
}

#[test]
fn sizes_are_told() {
    let runtime = runtime();
    let _guard = runtime.enter();
    let stream = iter(0..10).compute_map(|n: u32| n);
    assert_eq!(stream.size_hint(), (10, Some(10)));
    let stream = runtime.block_on(async move {
        let mut stream = Box::pin(stream);
        stream.next().await;
        stream
    });
    assert_eq!(stream.size_hint(), (9, Some(9)));
}

/// A task that polls often in a row runs out of budget before its waker is registered.
#[test]
fn an_unordered_stream_is_woken_however_its_turns_end() {
    let runtime = threads(2, 1).build();
    let runtime = runtime.expect("it starts");
    for limit in [1, 2, 300] {
        let task = runtime.spawn_async(async move {
            let mut stream = pin!(Plain(0..500).compute_map(|n| n).unordered().in_flight(limit));
            let mut sum = 0_u64;
            while let Some(n) = stream.next().await {
                sum += u64::from(n);
            }
            sum
        });
        assert_eq!(runtime.block_on(task).expect("no panic"), 499 * 250, "{limit} in flight");
    }
}

/// Many calls end at once while no task polls, and the source has used up the task's budget.
#[test]
fn a_full_window_is_delivered_from_a_source_that_sleeps() {
    let runtime = runtime();
    for items in [127, 128, 129, 200] {
        let (sender, receiver) = tokio::sync::mpsc::channel(256);
        for n in 0..items {
            sender.try_send(n).expect("there is room");
        }
        let task = runtime.spawn_async(async move {
            let mut stream = pin!(Receiver(receiver).compute_map(|n| n).unordered().in_flight(256));
            let mut seen = 0;
            while seen < items {
                stream.next().await.expect("there are more");
                seen += 1;
            }
            seen
        });
        assert_eq!(runtime.block_on(task).expect("no panic"), items);
        drop(sender);
    }
}

/// A source that is always ready and uses no budget.
struct Plain(std::ops::Range<u32>);

impl Stream for Plain {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        Poll::Ready(self.0.next())
    }
}

struct Receiver(tokio::sync::mpsc::Receiver<u32>);

impl Stream for Receiver {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        self.0.poll_recv(cx)
    }
}

#[test]
fn items_that_run_inline_do_so_one_a_poll() {
    let runtime = runtime();
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let work = move |_: Dear| counted.fetch_add(1, Ordering::Relaxed);
    let source = iter((0..100).map(|_| Dear(0)));
    let mut stream =
        Box::pin(source.adaptive_map(work).hint_by(Dear::compute_hint).in_flight(100).on(&runtime));
    let polled = stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[test]
fn dear_items_among_cheap_ones_go_by_their_own_hints() {
    let runtime = runtime();
    let task = runtime.spawn_async(async {
        let items = iter((0..2000).map(|n| Dear(u32::from(n % 400 == 399))));
        let work = |item: Dear| (item.0, rayon::current_thread_index().is_some());
        let seen: Vec<(u32, bool)> =
            items.adaptive_map(work).hint_by(Dear::compute_hint).collect().await;
        seen.into_iter().filter(|(dear, _)| *dear == 1).map(|(_, is_offloaded)| is_offloaded).next()
    });
    assert_eq!(runtime.block_on(task).expect("no panic"), Some(true), "the first dear one");
}

/// A type of the program's own, which no trait of Loom's knows.
struct Page(Vec<u8>);

#[test]
fn a_stream_has_a_name_or_a_place_and_learns_sizes_apart() {
    let runtime = runtime();
    runtime.block_on(async {
        let pages = || iter([1, 1000, 1001].map(|length| Page(vec![1; length])));
        let sizes = |page: Page| page.0.len();
        let named = pages().adaptive_map(sizes).size(|page| page.0.len()).name("count");
        assert_eq!(named.collect::<Vec<_>>().await, [1, 1000, 1001]);
        let (unnamed, line) = (pages().adaptive_map(|page| page.0[0]), line!());
        assert_eq!(unnamed.collect::<Vec<_>>().await, [1, 1, 1]);
        let other = pages().adaptive_map(|page| page.0[0]).hint(ComputeHint::Low);
        assert_eq!(other.collect::<Vec<_>>().await, [1, 1, 1]);

        let seen = loom::functions();
        let counts: Vec<_> = seen.iter().filter(|seen| seen.name == "count").collect();
        let sizes = |size: u64| {
            counts
                .iter()
                .find(|seen| seen.sizes.as_ref().is_some_and(|sizes| sizes.contains(&size)))
        };
        assert_eq!(sizes(1).map(|seen| seen.calls()), Some(1));
        assert_eq!(sizes(1000).map(|seen| seen.calls()), Some(2));
        assert_eq!(counts[0].key, loom::mab::FunctionKey::from_name("count"));

        let function =
            concat!(module_path!(), "::a_stream_has_a_name_or_a_place_and_learns_sizes_apart");
        let places = [(line, ComputeHint::Unknown), (line + 2, ComputeHint::Low)];
        for (line, hint) in places {
            let name = format!("{function} at {}:{line}:", file!());
            let seen: Vec<_> = seen.iter().filter(|seen| seen.name.starts_with(&name)).collect();
            assert_eq!(seen.len(), 1, "{name}");
            assert_eq!((seen[0].calls(), seen[0].hint), (3, hint));
        }
    });
}

/// A panic of what the program says of an item comes when the item is taken, and ends the stream.
#[test]
fn a_size_that_panics_ends_the_stream() {
    let runtime = runtime();
    let task = runtime.spawn_async(async {
        let mut stream = pin!(iter([1, 0]).adaptive_map(|n| n).size(|n| 1_u32 / n).in_flight(1));
        assert_eq!(stream.next().await, Some(1));
        let ended = poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| stream.as_mut().poll_next(cx).is_ready());
            Poll::Ready(catch_unwind(poll).is_err())
        });
        assert!(ended.await);
        assert_eq!(stream.next().await, None);
    });
    runtime.block_on(task).expect("the panic was caught");
}
