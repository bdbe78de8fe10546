//! What a compute future may use: the runtime's I/O, its tasks and its budget, on either arm.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, coop};
use tokio::time::{sleep, timeout};

use super::{is_on_pool, runtime};

#[loom::compute]
async fn echoes(listener: TcpListener) -> std::io::Result<usize> {
    let (mut stream, _) = listener.accept().await?;
    let mut seen = 0;
    let mut buffer = [0; 16];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(seen);
        }
        seen += read;
        stream.write_all(&buffer[..read]).await?;
    }
}

#[loom::compute]
async fn spawns() -> u64 {
    let mut set = JoinSet::new();
    for n in 0..4 {
        set.spawn(async move {
            sleep(Duration::from_millis(1)).await;
            n
        });
    }
    let blocking = tokio::task::spawn_blocking(|| 10);
    let mut sum = blocking.await.expect("no panic");
    while let Some(n) = set.join_next().await {
        sum += n.expect("no panic");
    }
    sum + loom::spawn_compute(|| 100).await
}

#[loom::compute]
async fn gives_up_in_time() -> bool {
    timeout(Duration::from_millis(5), pending::<()>()).await.is_err()
}

#[loom::compute]
async fn reads_a_file() -> std::io::Result<usize> {
    Ok(loom::spawn_blocking(|| std::fs::read("Cargo.toml")).await.expect("no panic")?.len())
}

#[loom::test(arm = "both")]
async fn io_tasks_timers_and_files() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let mut answer = [0; 5];
        for _ in 0..10 {
            stream.write_all(b"hello").await.expect("it is read");
            stream.read_exact(&mut answer).await.expect("it answers");
            assert_eq!(&answer, b"hello");
        }
    });
    assert_eq!(echoes(listener).await.expect("no error"), 50);
    client.await.expect("no panic");
    assert_eq!(spawns().await, 116);
    assert!(gives_up_in_time().await);
    assert!(reads_a_file().await.expect("it is there") > 0);
}

/// A future that is always ready yields by tokio's budget, on the pool as well: another one gets on.
#[test]
fn a_future_that_is_always_ready_lets_others_run() {
    let runtime = runtime(1, 1);
    let stop = Arc::new(AtomicBool::new(false));
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for _ in 0..64 {
            sender.send(()).expect("it is received");
        }
        let busy = {
            let stop = Arc::clone(&stop);
            loom::spawn_compute_future(async move {
                let mut polls = 0;
                while !stop.load(Ordering::Relaxed) {
                    receiver.recv().await.expect("the sender is here");
                    sender.send(()).expect("the receiver is here");
                    polls += 1;
                }
                polls
            })
        };
        let other = loom::spawn_compute_future(async move {
            assert!(is_on_pool());
            stop.store(true, Ordering::Relaxed);
        });
        other.await;
        assert!(busy.await > 0);
    });
}

#[test]
fn polls_on_the_pool_have_a_budget() {
    let runtime = runtime(1, 1);
    runtime.block_on(async {
        let spent = loom::spawn_compute_future(async {
            let mut steps = 0;
            poll_fn(|cx| {
                while let Poll::Ready(step) = coop::poll_proceed(cx) {
                    step.made_progress();
                    steps += 1;
                    assert!(steps < 10_000, "there is no budget");
                }
                Poll::Ready(())
            })
            .await;
            steps
        });
        assert_eq!(spent.await, 128);
    });
}

/// Two functions that call each other, much deeper than a stack.
#[loom::compute]
async fn is_even(n: u32) -> bool {
    if n == 0 { true } else { is_odd(n - 1).await }
}

#[loom::compute]
async fn is_odd(n: u32) -> bool {
    if n == 0 { false } else { is_even(n - 1).await }
}

#[test]
fn calls_of_each_other_ten_thousand_deep_on_a_pool_of_one() {
    for workers in [1, 2] {
        let runtime = runtime(workers, 1);
        runtime.block_on(async {
            for _ in 0..3 {
                assert!(is_even(10_000).await);
                assert!(tokio::spawn(is_odd(9_999)).await.expect("no panic"));
            }
        });
    }
}

#[loom::compute]
async fn waits_deep(n: u32) -> u32 {
    if n == 0 { pending().await } else { waits_deep(n - 1).await }
}

/// Ten thousand futures that hold one another are dropped without a stack as deep.
#[test]
fn a_deep_call_is_dropped() {
    let runtime = runtime(2, 1);
    runtime.block_on(async {
        let call = timeout(Duration::from_millis(100), waits_deep(10_000));
        assert!(call.await.is_err());
    });
    drop(runtime);
}

tokio::task_local! {
    static USER: String;
}

#[loom::compute(carry(USER))]
async fn greets() -> String {
    let before = USER.with(String::clone);
    loom::yield_now().await;
    format!("{before}, {}", USER.with(String::clone))
}

#[loom::test(arm = "both")]
async fn carried_values_are_there_in_each_poll() {
    let greeting = USER.scope("ada".to_owned(), greets()).await;
    assert_eq!(greeting, "ada, ada");
}

/// A body may block in tokio's own words on neither arm, as in any async function.
#[loom::test(arm = "both")]
async fn blocking_is_refused_on_both_arms() {
    #[loom::compute]
    async fn blocks(lock: Arc<tokio::sync::Mutex<u32>>) -> u32 {
        loom::yield_now().await;
        *lock.blocking_lock()
    }
    #[loom::compute]
    async fn blocks_in_place(lock: Arc<tokio::sync::Mutex<u32>>) -> u32 {
        loom::yield_now().await;
        loom::block_in_place(|| *lock.blocking_lock())
    }
    let lock = Arc::new(tokio::sync::Mutex::new(1));
    let call = tokio::spawn(blocks(Arc::clone(&lock)));
    assert!(call.await.expect_err("tokio refuses").is_panic());
    let call = tokio::spawn(blocks_in_place(lock));
    assert_eq!(call.await.expect("no panic"), 1);
}

/// A result that comes when the task's budget is used up comes one poll later.
#[loom::compute(hint = "low")]
async fn sums_up(mut from: mpsc::UnboundedReceiver<u64>) -> u64 {
    let mut sum = 0;
    while let Some(n) = from.recv().await {
        sum += n;
    }
    sum
}

#[test]
fn a_result_is_kept_until_the_task_has_budget_again() {
    let runtime = runtime(1, 1);
    let task = runtime.spawn_async(async {
        for _ in 0..2000 {
            let (to, from) = mpsc::unbounded_channel();
            let mut sum = std::pin::pin!(sums_up(from));
            for n in 0..20 {
                to.send(n).expect("it is received");
                let polled = poll_fn(|cx| Poll::Ready(sum.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
            }
            drop(to);
            assert_eq!(sum.await, 190);
        }
    });
    runtime.block_on(task).expect("no panic");
}
