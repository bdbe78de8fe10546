//! Clocks that a runtime and its cores drive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use loom::time::{DriverGone, InactiveClock, TimeoutError};
use loom::{LoomBuilder, LoomRuntime};

use super::with_cores;

/// Delays of several lengths, one after another and concurrent, do not end early.
async fn delays(clock: loom::time::Clock) {
    for micros in [0, 1, 50, 300, 2300, 700] {
        let watch = clock.stopwatch();
        clock.delay(Duration::from_micros(micros)).await.expect("it is driven");
        assert!(watch.elapsed() >= Duration::from_micros(micros));
    }
    let (start, mut order) = (clock.instant(), Vec::new());
    let one = |millis| {
        let clock = clock.clone();
        async move { clock.delay_until(start + Duration::from_millis(millis)).await.map(|()| millis) }
    };
    let (mut a, mut b) = (std::pin::pin!(one(4)), std::pin::pin!(one(2)));
    tokio::select! {
        // If this thread runs late, both are due.
        biased;
        first = &mut b => order.push(first),
        first = &mut a => order.push(first),
    }
    assert_eq!(order, [Ok(2)]);
    assert_eq!(a.await, Ok(4));
    let never = clock.timeout(Duration::from_millis(1), std::future::pending::<()>());
    assert_eq!(never.await, Err(TimeoutError::Elapsed));
    let mut ticks = clock.periodic(Duration::from_micros(200));
    let first = ticks.tick().await.expect("it is driven");
    let second = ticks.tick().await.expect("it is driven");
    assert_eq!(second - first, ticks.period());
}

fn every_kind() -> [LoomRuntime; 2] {
    let current_thread = LoomBuilder::new()
        .tokio_flavor(loom::TokioFlavor::CurrentThread)
        .rayon_threads(1)
        .local_cores(1);
    [with_cores(1), current_thread.build().expect("it starts")]
}

#[test]
fn a_runtime_drives_a_clock_for_everyone() {
    for runtime in every_kind() {
        let clock = runtime.clock().clone();
        runtime.block_on(delays(clock.clone()));
        let elsewhere = clock.clone();
        let task = runtime.spawn_async(delays(elsewhere));
        runtime.block_on(task).expect("no panic");
        // The same from a compute thread, and from a core.
        let from_compute = clock.clone();
        let made = runtime.spawn_compute(move || from_compute.delay(Duration::from_micros(300)));
        let made = runtime.block_on(made);
        assert_eq!(runtime.block_on(made), Ok(()));
        let core = runtime.local(0).spawn_with(move || delays(clock));
        runtime.block_on(core).expect("no panic");
    }
}

#[test]
fn a_clock_beside_another_tokio_is_driven_as_well() {
    // The host has no timer and no sockets.
    let host = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let host = host.expect("it starts");
    let builder = LoomBuilder::new().beside(host.handle().clone()).rayon_threads(1).local_cores(1);
    let runtime = builder.build().expect("it starts");
    let clock = runtime.clock().clone();
    host.block_on(delays(clock.clone()));
    let core = runtime.local(0).spawn_with(|| delays(loom::local::clock()));
    host.block_on(core).expect("no panic");
    drop(runtime);
    host.block_on(async { clock.delay(Duration::from_micros(300)).await }).expect("it goes on");
}

#[test]
fn a_core_drives_its_own() {
    let runtime = with_cores(2);
    for index in 0..2 {
        let task = runtime.local(index).spawn_with(|| delays(loom::local::clock()));
        runtime.block_on(task).expect("no panic");
        // Other threads can use the core's clock: their timers wake the core.
        runtime.block_on(delays(runtime.local(index).clock().clone()));
    }
}

#[test]
fn delays_fail_when_their_runtime_ends() {
    let runtime = with_cores(1);
    let (shared, own) = (runtime.clock().clone(), runtime.local(0).clock().clone());
    let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    let hour = Duration::from_secs(3600);
    let waiting = [&shared, &own].map(|clock| {
        let (clock, (sender, begun)) = (clock.clone(), mpsc::channel());
        let waiting = thread::spawn(move || {
            let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
            host.block_on(async {
                let mut delay = std::pin::pin!(clock.delay(hour));
                assert!(futures_poll(delay.as_mut()).await);
                sender.send(()).expect("it listens");
                delay.await
            })
        });
        begun.recv().expect("it has begun");
        waiting
    });
    drop(runtime);
    for waiting in waiting {
        assert_eq!(waiting.join().expect("no panic"), Err(DriverGone));
    }
    assert_eq!(host.block_on(shared.delay(hour)), Err(DriverGone));
    assert_eq!(host.block_on(own.delay(hour)), Err(DriverGone));
}

/// Polls once; true if the future is pending.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[test]
fn a_core_keeps_its_time_while_others_burn_theirs() {
    let runtime = with_cores(2);
    let (over, begun) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    // Neither the other core nor the I/O side can fire a timer meanwhile.
    let burning = {
        let over = Arc::clone(&over);
        move || {
            begun.0.send(()).expect("it listens");
            while !over.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        }
    };
    let core = runtime.local(1).spawn_with({
        let burning = burning.clone();
        || async move { burning() }
    });
    let io = runtime.spawn_async(async move { burning() });
    for _ in 0..2 {
        begun.1.recv().expect("both burn");
    }
    // The task ends although the timers of the others do not fire.
    let task = runtime.local(0).spawn_with(|| delays(loom::local::clock()));
    let host = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    host.block_on(task).expect("no panic");
    assert!(!core.is_finished() && !io.is_finished());
    over.store(true, Ordering::SeqCst);
    host.block_on(async { (core.await.expect("no panic"), io.await.expect("no panic")) });
}

#[test]
fn a_clock_that_was_moved_is_driven_on_its_core() {
    let runtime = with_cores(1);
    let mut clock = InactiveClock::new();
    clock.relocate(None, loom::local::CoreId::new(0));
    let task = runtime.local(0).spawn_with(move || async move {
        let (clock, mut driver) = clock.activate();
        let delay = clock.delay(Duration::from_micros(100));
        let deadline = delay.deadline();
        let waiting = loom::local::spawn(delay);
        while !waiting.is_finished() {
            driver.advance_timers(Instant::now()).expect("there is a clock");
            tokio::task::yield_now().await;
        }
        Instant::now() >= deadline
    });
    assert!(runtime.block_on(task).expect("no panic"));
}
