//! Where polls run: by what polls took that followed the same kind of wake.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use loom::{Arm, FunctionStats, Wake};
use tokio::sync::mpsc;

use super::{is_on_pool, runtime, spin};

/// Pings cost nothing, and a batch is dear.
#[loom::compute]
async fn batches(
    mut pings: mpsc::UnboundedReceiver<()>,
    mut batches: mpsc::UnboundedReceiver<Duration>,
    done: std::sync::mpsc::Sender<()>,
) -> [usize; 2] {
    // How many batches ran here, and on the pool.
    let mut seen = [0; 2];
    loop {
        tokio::select! {
            Some(()) = pings.recv() => {}
            batch = batches.recv() => match batch {
                Some(time) => {
                    spin(time);
                    seen[usize::from(is_on_pool())] += 1;
                }
                None => return seen,
            }
        }
        done.send(()).expect("it is received");
    }
}

#[test]
fn polls_are_placed_by_the_wakes_that_they_follow() {
    let runtime = runtime(2, 1);
    let (ping, pings) = mpsc::unbounded_channel();
    let (batch, all) = mpsc::unbounded_channel();
    let (done, ended) = std::sync::mpsc::channel();
    let call = runtime.spawn_async(batches(pings, all, done));
    let ends = || {
        ended.recv().expect("it goes on");
        // The poll has to come to its end, too: a wake before is one of another kind.
        spin(Duration::from_micros(50));
    };
    for _ in 0..100 {
        for _ in 0..5 {
            // From a thread that runs no task.
            ping.send(()).expect("it is received");
            ends();
        }
        let batch = batch.clone();
        drop(runtime.spawn_async(async move {
            batch.send(Duration::from_millis(1)).expect("it is received");
        }));
        ends();
    }
    drop(batch);
    let [here, pooled] = runtime.block_on(call).expect("no panic");
    assert!(pooled > 80, "{here} here, {pooled} on the pool");
    let functions = runtime.functions();
    let of = |wake| {
        let mut of = functions.iter().filter(|it| it.name.ends_with("::batches"));
        of.find(|function| function.after == Some(wake)).expect("there were such polls")
    };
    // How many polls after a ping there are, and where they run, depends on how busy the machine is.
    assert!(of(Wake::Thread).calls() > 0);
    let dear = of(Wake::Task);
    assert!(dear.offloaded > 4 * dear.inline, "{dear:#?}");
    assert!(dear.queue_waits.count() > 0);
    let verdict = dear.verdict.as_ref().expect("it was drawn");
    assert_eq!(verdict.arm, Arm::OffloadRayon, "{verdict}");
    let explanation = verdict.explain();
    assert!(explanation.contains("polls after a wake by a task. "), "{explanation}");
    assert!(!explanation.contains("call"), "{explanation}");
}

#[loom::compute(hint = "low")]
async fn yields(times: u64) {
    for _ in 0..times {
        loom::yield_now().await;
    }
}

/// Most polls are settled and read no clock, also where the first poll was measured, so that the future has
/// wakers of its own.
#[test]
fn most_polls_of_a_long_future_are_not_measured() {
    let runtime = runtime(2, 1);
    runtime.block_on(runtime.spawn_async(yields(20_000))).expect("no panic");
    let functions = runtime.functions();
    let polls =
        functions.iter().find(|it| it.after == Some(Wake::Itself)).expect("there were some");
    assert!(polls.calls() > 19_000, "{polls:#?}");
    assert!(polls.run_times.count() < polls.calls() / 4, "{polls:#?}");
}

/// Polls that cost nothing are polled with the task's own waker, and nothing goes to the pool.
#[loom::compute(hint = "low")]
async fn passes_on(mut from: mpsc::Receiver<u64>) -> u64 {
    let mut sum = 0;
    while let Some(n) = from.recv().await {
        sum += n;
    }
    sum
}

#[test]
fn brief_polls_stay_on_the_task() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        for _ in 0..200 {
            let (sender, receiver) = mpsc::channel(1);
            let sum = tokio::spawn(passes_on(receiver));
            let feeds = tokio::spawn(async move {
                for n in 0..10 {
                    sender.send(n).await.expect("it is received");
                }
            });
            assert_eq!(sum.await.expect("no panic"), 45);
            feeds.await.expect("no panic");
        }
        let functions = loom::functions();
        let of = functions.iter().filter(|it| it.name.ends_with("::passes_on"));
        let (inline, offloaded) = of
            .fold((0, 0), |(inline, offloaded), it| (inline + it.inline, offloaded + it.offloaded));
        assert!(offloaded * 10 < inline, "{inline} inline, {offloaded} offloaded");
    });
}

#[loom::compute(mode = "inline")]
async fn counted(mut pending: u64) {
    poll_fn(|cx| {
        // A brief poll, as those are that are settled for long.
        if pending == 0 {
            return Poll::Ready(());
        }
        pending -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Also where the future is dropped before its end.
#[test]
fn each_settled_poll_is_counted_once() {
    let runtime = runtime(2, 1);
    let polled = runtime.block_on(async {
        let mut polled = 0;
        for future in 0..300 {
            let pending = 20 + future % 7;
            let mut call = Box::pin(counted(pending));
            for _ in 0..pending {
                let poll = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
                assert!(poll.is_pending());
                polled += 1;
            }
            if future % 2 == 0 {
                call.await;
                polled += 1;
            }
        }
        polled
    });
    let functions = runtime.functions();
    let counted: u64 = functions
        .iter()
        .filter(|it| it.name.ends_with("::counted"))
        .map(FunctionStats::calls)
        .sum();
    assert_eq!(counted, polled);
}

#[loom::compute(mode = "offload")]
async fn forced(mut from: mpsc::Receiver<()>) -> usize {
    let mut here = 0;
    while from.recv().await.is_some() {
        here += usize::from(!is_on_pool());
        // Each message has a poll of its own.
        loom::yield_now().await;
    }
    here
}

#[loom::compute(mode = "inline")]
async fn kept(mut from: mpsc::Receiver<()>) -> usize {
    let mut pooled = 0;
    while from.recv().await.is_some() {
        pooled += usize::from(is_on_pool());
    }
    pooled
}

#[test]
fn a_mode_holds_for_each_poll() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        let ((a, from_a), (b, from_b)) = (mpsc::channel(1), mpsc::channel(1));
        let (forced, kept) = (tokio::spawn(forced(from_a)), tokio::spawn(kept(from_b)));
        for _ in 0..100 {
            a.send(()).await.expect("it is received");
            b.send(()).await.expect("it is received");
        }
        drop((a, b));
        assert_eq!((forced.await.expect("no panic"), kept.await.expect("no panic")), (0, 0));
    });
}

#[test]
fn an_override_holds_from_the_next_poll_on() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        let (sender, receiver) = mpsc::channel(1);
        let call = tokio::spawn(forced(receiver));
        for _ in 0..10 {
            sender.send(()).await.expect("it is received");
        }
        let named = loom::override_function("futures::placing::forced", loom::Mode::Inline);
        assert!(named.functions > 0);
        for _ in 0..100 {
            sender.send(()).await.expect("it is received");
        }
        drop(sender);
        // Up to two polls were on their way.
        let here = call.await.expect("no panic");
        assert!(here >= 50, "{here} of 100 ran here");
    });
}

#[test]
fn a_long_poll_learns_that_others_wait() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        let (begins, begun) = tokio::sync::oneshot::channel();
        let polite = loom::spawn_compute_future(async move {
            assert!(!loom::should_yield());
            begins.send(()).expect("it is received");
            while !loom::should_yield() {
                std::hint::spin_loop();
            }
            loom::yield_now().await;
        });
        begun.await.expect("it runs");
        let other = loom::spawn_compute(|| ());
        polite.await;
        other.await;
    });
}
