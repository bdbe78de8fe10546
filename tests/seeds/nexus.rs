//! What nexus-async-rt documents, on a local core.

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use loom::local::{self, Elapsed, Executor, MissedTickBehavior};
use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(60);

fn with_core() -> LoomRuntime {
    let builder = LoomBuilder::new()
        .pin_threads(false)
        .tokio_threads(1)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal);
    builder.local_cores(1).build().expect("the system has threads")
}

/// Runs the future on a local core.
fn on_core<M, F>(make: M) -> F::Output
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output: Send> + 'static,
{
    let runtime = with_core();
    let task = runtime.local(0).spawn_with(make);
    runtime.block_on(task).expect("no panic")
}

#[test]
fn tasks_are_spawned_boxed_and_in_slots() {
    let done = on_core(|| async {
        let done = Rc::new(Cell::new(0));
        let task = |done: &Rc<Cell<u32>>| {
            let done = Rc::clone(done);
            async move { done.set(done.get() + 1) }
        };
        let spawner = local::spawner();
        spawner.spawn_boxed(task(&done));
        spawner.spawn_slab(task(&done)).expect("it spills");
        let claim = spawner.try_claim_slab().expect("there is room");
        let claimed = claim.spawn_joined(task(&done)).expect("it fits");
        let joined = local::spawn(async { 42 });
        assert_eq!((claimed.await.ok(), joined.await.ok()), (Some(()), Some(42)));
        done.get()
    });
    assert_eq!(done, 3);
}

#[test]
fn a_task_is_detached_asked_and_aborted() {
    on_core(|| async {
        drop(local::spawn(async {}));
        let task = local::spawn(std::future::pending::<()>());
        assert!(!task.is_finished());
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    });
}

#[test]
fn drain_runs_until_every_task_has_completed() {
    let mut executor = Executor::new(4);
    let (sender, receiver) = oneshot::channel();
    let (waits, waiting) = std::sync::mpsc::channel();
    let (spawner, seen) = (executor.spawner(), Rc::new(RefCell::new(Vec::new())));
    let own = Rc::clone(&seen);
    executor.spawn_boxed(async move {
        waits.send(()).expect("the receiver is alive");
        let value = receiver.await.expect("it is sent");
        let late = Rc::clone(&own);
        spawner.spawn_boxed(async move {
            tokio::task::yield_now().await;
            late.borrow_mut().push("late");
        });
        own.borrow_mut().push(value);
    });
    // A wake from outside, for which the thread has to wait.
    let sending = std::thread::spawn(move || {
        waiting.recv().expect("the task is polled");
        sender.send("sent").expect("the task waits");
    });
    let runtime = crate::runtime();
    let _entered = runtime.enter();
    executor.drain();
    assert_eq!(*seen.borrow(), ["sent", "late"]);
    assert_eq!((executor.task_count(), executor.has_ready()), (0, false));
    sending.join().expect("no panic");
}

#[test]
fn cancel_all_drops_every_task() {
    let mut executor = Executor::new(4);
    let kept = Rc::new(());
    for _ in 0..3 {
        let with = Rc::clone(&kept);
        executor.spawn_boxed(async move {
            std::future::pending::<()>().await;
            drop(with);
        });
    }
    executor.poll();
    assert_eq!((executor.cancel_all(), executor.task_count()), (3, 0));
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn sleeps_last_until_their_deadlines() {
    on_core(|| async {
        let start = Instant::now();
        local::sleep(SHORT).await;
        assert!(start.elapsed() >= SHORT);
        let deadline = Instant::now() + SHORT;
        local::sleep_until(deadline).await;
        assert!(Instant::now() >= deadline);
        local::sleep_until(start).await;
        let mut sleep = local::sleep(LONG);
        sleep.reset(Instant::now() + SHORT);
        assert!(sleep.deadline() > start && !sleep.is_elapsed());
        sleep.await;
    });
}

#[test]
fn timeouts_end_what_takes_too_long() {
    on_core(|| async {
        let never = std::future::pending::<()>;
        assert_eq!(local::timeout(SHORT, never()).await, Err(Elapsed));
        assert_eq!(local::timeout_at(Instant::now(), never()).await, Err(Elapsed));
        assert_eq!(local::timeout(LONG, async { 42 }).await, Ok(42));
        assert_eq!(local::timeout_at(Instant::now() + LONG, async { 42 }).await, Ok(42));
    });
}

#[test]
fn intervals_tick_and_make_up_for_missed_ticks() {
    on_core(|| async {
        let start = Instant::now() + SHORT;
        let mut interval = local::interval_at(start, SHORT);
        assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Burst);
        assert_eq!([interval.tick().await, interval.tick().await], [start, start + SHORT]);
        // Some ticks are missed already, and come at once.
        let missed = Instant::now().checked_sub(4 * SHORT).expect("the system runs for longer");
        let mut interval = local::interval_at(missed, SHORT);
        let late = [interval.tick().await, interval.tick().await, interval.tick().await];
        assert_eq!(late, [0, 1, 2].map(|n| missed + n * SHORT));

        for behavior in [MissedTickBehavior::Skip, MissedTickBehavior::Delay] {
            let mut interval = local::interval_at(missed, SHORT);
            interval.set_missed_tick_behavior(behavior);
            let (late, next) = (interval.tick().await, interval.tick().await);
            assert_eq!(late, missed);
            assert!(next > missed + 4 * SHORT, "{behavior:?}");
            interval.reset_at(missed + LONG);
            assert_eq!(interval.period(), SHORT);
            assert!(local::timeout(SHORT, interval.tick()).await.is_err());
        }
        let (before, mut interval) = (Instant::now(), local::interval(LONG));
        assert!(interval.tick().await >= before, "the first comes at once");
    });
}

#[test]
fn work_is_deferred_to_a_time() {
    on_core(|| async {
        let start = Instant::now();
        let begun = local::after_delay(SHORT, async { Instant::now() }).await;
        assert!(begun >= start + SHORT);
        let deadline = begun + SHORT;
        assert!(local::after(deadline, async { Instant::now() }).await >= deadline);
    });
}

#[test]
fn yield_now_gives_every_ready_task_a_turn() {
    on_core(|| async {
        let turns = Rc::new(Cell::new(0));
        for _ in 0..3 {
            let turns = Rc::clone(&turns);
            local::spawner().spawn_boxed(async move { turns.set(turns.get() + 1) });
        }
        assert_eq!(turns.get(), 0);
        local::yield_now().await;
        assert_eq!(turns.get(), 3);
    });
}

#[test]
fn a_token_ends_its_children_and_not_its_parent() {
    on_core(|| async {
        let root = CancellationToken::new();
        let (first, second) = (root.child_token(), root.child_token());
        let waiting = local::spawn({
            let first = first.clone();
            async move { first.cancelled().await }
        });
        first.cancel();
        waiting.await.expect("no panic");
        assert!(!root.is_cancelled() && !second.is_cancelled());
        root.cancel();
        assert!(second.is_cancelled());
    });
}

#[test]
fn a_drop_guard_ends_the_work_below_it() {
    on_core(|| async {
        let token = CancellationToken::new();
        let child = local::spawn(token.child_token().cancelled_owned());
        {
            let _guard = token.clone().drop_guard();
            local::yield_now().await;
            assert!(!child.is_finished());
        }
        child.await.expect("no panic");
        let disarmed = CancellationToken::new().drop_guard().disarm();
        assert!(!disarmed.is_cancelled());
    });
}

#[test]
fn channels_join_tasks_and_threads() {
    let sum = on_core(|| async {
        let (sender, mut receiver) = mpsc::channel(4);
        let elsewhere = sender.clone();
        let sending = std::thread::spawn(move || elsewhere.blocking_send(40));
        local::spawn(async move { sender.send(2).await }).await.expect("no panic").expect("open");
        let mut sum = 0;
        while let Some(n) = receiver.recv().await {
            sum += n;
        }
        sending.join().expect("no panic").expect("open");
        sum
    });
    assert_eq!(sum, 42);
}

#[test]
fn a_retry_backs_off_by_the_cores_clock() {
    let (tries, waits) = on_core(|| async {
        let tries = Cell::new(0);
        let mut waits = Vec::new();
        let connect = || {
            tries.set(tries.get() + 1);
            let n = tries.get();
            async move { if n < 4 { Err("refused") } else { Ok(n) } }
        };
        let connected = connect
            .retry(ExponentialBuilder::new().with_min_delay(Duration::from_millis(1)))
            .sleep(local::sleep)
            .notify(|_, after| waits.push(after.as_millis()))
            .await;
        assert_eq!(connected, Ok(4));
        (tries.get(), waits)
    });
    assert_eq!((tries, waits), (4, vec![1, 2, 4]));
}

#[test]
fn a_signal_ends_the_loops_of_a_core_and_then_the_runtime() {
    for signal in ["TERM", "INT"] {
        let runtime = with_core();
        let stop = runtime.shutdown_signal().expect("the system handles signals");
        let (started, starting) = std::sync::mpsc::channel();
        let ticks = runtime.local(0).spawn_with({
            let stop = stop.clone();
            || async move {
                let (mut interval, mut ticks) = (local::interval(SHORT), 0);
                while stop.run_until_cancelled(interval.tick()).await.is_some() {
                    ticks += 1;
                    started.send(()).expect("the receiver is alive");
                }
                ticks
            }
        });
        starting.recv().expect("the loop runs");
        assert!(!runtime.is_shutting_down());
        let process = std::process::id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &process]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        runtime.block_on(runtime.wait_for_shutdown());
        assert!(stop.is_cancelled() && runtime.is_idle());
        assert!(runtime.block_on(ticks).is_ok_and(|ticks| ticks >= 1));
    }
}

#[test]
fn the_signals_token_is_of_any_shutdown() {
    let runtime = with_core();
    let [first, second] = [0, 1].map(|_| runtime.shutdown_signal().expect("it is handled"));
    runtime.shutdown();
    assert!(first.is_cancelled() && second.is_cancelled());
    assert!(runtime.shutdown_signal().expect("as before").is_cancelled());

    let runtime = with_core();
    runtime.shutdown();
    assert!(runtime.shutdown_signal().expect("as before").is_cancelled());

    // A token that the program cancels shuts the runtime down.
    let runtime = with_core();
    runtime.shutdown_signal().expect("as before").cancel();
    runtime.block_on(runtime.wait_for_shutdown());
    assert!(runtime.is_shutting_down());

    let runtime = with_core();
    let stop = runtime.block_on(async { loom::shutdown_signal() }).expect("within one");
    drop(runtime);
    assert!(stop.is_cancelled(), "the runtime has ended");
    let outside = loom::shutdown_signal().expect_err("there is no runtime here");
    assert!(outside.to_string().contains("needs a Loom runtime"), "{outside}");
}
