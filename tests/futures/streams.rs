//! Streams whose polls run on the pool.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use loom::{ComputeStreamExt, LoomRuntime};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, iter};

use super::{is_on_pool, runtime};

/// The items of a channel, as a stream that says where it is polled and dropped.
struct Received {
    items: mpsc::UnboundedReceiver<u32>,
    polls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Stream for Received {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        assert!(is_on_pool());
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.items.poll_recv(cx)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Seen {
    polls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Seen {
    fn stream(&self) -> (mpsc::UnboundedSender<u32>, Received) {
        let (sender, items) = mpsc::unbounded_channel();
        let (polls, drops) = (Arc::clone(&self.polls), Arc::clone(&self.drops));
        (sender, Received { items, polls, drops })
    }

    /// Returns once the stream was polled so often, and no poll is queued or under way.
    fn waits_after(&self, polls: usize, runtime: &LoomRuntime) {
        while self.polls.load(Ordering::SeqCst) < polls || runtime.compute_tasks_in_flight() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(self.polls.load(Ordering::SeqCst), polls);
    }

    fn drops(&self) -> usize {
        self.drops.load(Ordering::SeqCst)
    }
}

#[test]
fn items_come_in_order_from_the_pool() {
    for (workers, compute) in [(2, 2), (1, 1)] {
        let runtime = runtime(workers, compute);
        let seen = Seen::default();
        let (sender, stream) = seen.stream();
        let items: Vec<u32> = runtime.block_on(async move {
            let reader = tokio::spawn(stream.on_compute().collect());
            for n in 0..100 {
                sender.send(n).expect("it is read");
                tokio::task::yield_now().await;
            }
            drop(sender);
            reader.await.expect("no panic")
        });
        assert!(items.into_iter().eq(0..100));
        runtime.block_until_idle();
        assert_eq!(seen.drops(), 1);
    }
}

#[test]
fn the_stream_is_never_further_ahead_than_was_said() {
    for ahead in [0, 1, 3] {
        let runtime = runtime(2, 2);
        let asked = Arc::new(AtomicUsize::new(0));
        let known = Arc::clone(&asked);
        let (reports, mut reported) = mpsc::unbounded_channel();
        let most = ahead.max(1);
        let stream = iter(0..50_usize).map(move |n| {
            assert!(n < known.load(Ordering::SeqCst) + most, "{n} is too far ahead");
            reports.send(n).expect("the test waits");
            n
        });
        runtime.block_on(async move {
            let mut stream = pin!(stream.on_compute().ahead(ahead));
            for n in 0..50 {
                asked.fetch_add(1, Ordering::SeqCst);
                assert_eq!(stream.next().await, Some(n));
                // And it gets there without another request.
                while n + most < 50 && reported.recv().await != Some(n + most) {}
            }
            assert_eq!(stream.next().await, None);
        });
    }
}

#[test]
fn a_panic_comes_after_the_items_before_it_and_ends_the_stream_alone() {
    let runtime = runtime(2, 2);
    let work = |n: u32| if n == 5 { panic_any(n) } else { n };
    let mut stream = iter(0..10).map(work).on_compute().on(&runtime);
    let mut next = || catch_unwind(AssertUnwindSafe(|| runtime.block_on(stream.next())));
    for expected in 0..5 {
        assert_eq!(next().expect("no panic yet"), Some(expected));
    }
    assert_eq!(next().expect_err("it panics").downcast_ref(), Some(&5_u32));
    assert_eq!(next().expect("it has ended"), None);
    assert!(stream.is_terminated());
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 7)), 7);
}

#[test]
fn a_drop_before_the_first_poll_drops_the_stream() {
    let seen = Seen::default();
    drop(seen.stream().1.on_compute().on(&runtime(1, 1)));
    assert_eq!((seen.drops(), seen.polls.load(Ordering::SeqCst)), (1, 0));
}

#[test]
fn a_drop_gives_up_a_stream_that_waits_for_its_source() {
    let runtime = runtime(2, 1);
    let seen = Seen::default();
    let (sender, stream) = seen.stream();
    let mut stream = Box::pin(stream.on_compute().on(&runtime));
    assert!(stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    seen.waits_after(1, &runtime);
    drop(stream);
    // This waits for every future that goes on.
    runtime.block_until_idle();
    assert_eq!(seen.drops(), 1);
    assert!(sender.is_closed());
}

#[test]
fn a_drop_gives_up_a_stream_that_waits_for_its_reader() {
    let runtime = runtime(2, 1);
    let seen = Seen::default();
    let (sender, stream) = seen.stream();
    for n in 0..10 {
        sender.send(n).expect("it is read");
    }
    let mut stream = stream.on_compute().ahead(1).on(&runtime);
    assert_eq!(runtime.block_on(stream.next()), Some(0));
    // One more item is ahead.
    seen.waits_after(2, &runtime);
    drop(stream);
    runtime.block_until_idle();
    assert_eq!(seen.drops(), 1);
}

#[test]
fn nothing_is_polled_before_the_reader_asks() {
    let runtime = runtime(1, 1);
    let seen = Seen::default();
    let (sender, stream) = seen.stream();
    sender.send(1).expect("it is read");
    let mut stream = stream.on_compute().on(&runtime);
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 2)), 2);
    assert_eq!(seen.polls.load(Ordering::SeqCst), 0);
    assert_eq!(runtime.block_on(stream.next()), Some(1));
}

#[test]
fn the_length_that_is_left_is_known() {
    let runtime = runtime(1, 1);
    let mut stream = iter(0..3).on_compute().on(&runtime);
    for left in [3, 2, 1] {
        assert_eq!(stream.size_hint(), (left, Some(left)));
        assert!(runtime.block_on(stream.next()).is_some());
    }
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert_eq!(runtime.block_on(stream.next()), None);
    assert!(stream.is_terminated());
}

/// A pool of one: what waits for the thread when an item is done runs before the next item.
#[test]
fn calls_get_their_turn_between_items() {
    let runtime = runtime(1, 1);
    let (ran, handle) = (Arc::new(AtomicUsize::new(0)), runtime.clone());
    let items = iter(1..=100).map(move |n| {
        assert_eq!(ran.load(Ordering::SeqCst), n - 1);
        let ran = Arc::clone(&ran);
        handle.spawn_compute(move || ran.store(n, Ordering::SeqCst)).detach();
        n
    });
    let seen: Vec<usize> = runtime.block_on(items.on_compute().ahead(100).collect());
    assert!(seen.into_iter().eq(1..=100));
}

#[test]
fn streams_within_compute_futures_need_one_thread() {
    let runtime = runtime(1, 1);
    let sum = runtime.block_on(runtime.spawn_compute_future(async {
        let inner = iter(0..100_u64).on_compute();
        let outer = inner.map(|n| n + u64::from(is_on_pool())).on_compute();
        let mut outer = pin!(outer);
        let mut sum = 0;
        while let Some(n) = outer.next().await {
            sum += n;
        }
        sum
    }));
    assert_eq!(sum, 4950 + 100);
}

#[tokio::test]
async fn in_a_plain_tokio_program_with_its_timers() {
    let ticks = iter(0..3).then(|n| async move {
        tokio::time::interval(Duration::from_millis(1)).tick().await;
        (n, is_on_pool())
    });
    assert_eq!(ticks.on_compute().collect::<Vec<_>>().await, [(0, true), (1, true), (2, true)]);
}

#[test]
fn a_runtime_that_has_ended_refuses_the_stream() {
    let runtime = runtime(1, 1);
    let mut refused = iter(0..3).on_compute().on(&runtime);
    let mut begun = iter(0..3).on_compute().ahead(1).on(&runtime);
    assert_eq!(runtime.block_on(begun.next()), Some(0));
    drop(runtime);
    let next = |stream: &mut (dyn Stream<Item = i32> + Unpin)| {
        let cx = &mut Context::from_waker(Waker::noop());
        loop {
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *stream).poll_next(cx))) {
                Ok(Poll::Ready(item)) => break Ok(item),
                Ok(Poll::Pending) => std::thread::yield_now(),
                Err(payload) => {
                    break Err(payload.downcast_ref::<String>().cloned().unwrap_or_default());
                }
            }
        }
    };
    assert!(next(&mut refused).expect_err("it is refused").contains("shut down"));
    assert_eq!(next(&mut refused), Ok(None));
    // What it had ready, if anything, comes first.
    let last = next(&mut begun);
    let last = if last == Ok(Some(1)) { next(&mut begun) } else { last };
    assert!(last.expect_err("it has ended").contains("shut down"));
    assert_eq!(next(&mut begun), Ok(None));
}
