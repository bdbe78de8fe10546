//! What tick documents.

use std::thread;
use std::time::{Duration, Instant};

use loom::time::{Clock, ClockDriver, ClockGone, CoreId, InactiveClock, Isolated, Shared};
use tokio_stream::StreamExt;

use crate::runtime;

async fn produce_value(clock: &Clock, duration: Duration) -> Duration {
    let watch = clock.stopwatch();
    clock.delay(duration).await.expect("its driver is there");
    watch.elapsed()
}

#[test]
fn a_clock_is_an_argument() {
    let runtime = runtime();
    let short = Duration::from_millis(2);
    assert!(runtime.block_on(produce_value(runtime.clock(), short)) >= short);
}

#[test]
fn a_clock_reads_both_kinds_of_time() {
    let (clock, _driver) = InactiveClock::new().activate();
    let (system, instant) = (clock.system_time(), clock.instant());
    assert!(clock.system_time() >= system && clock.instant() >= instant);
    assert!(clock.stopwatch().elapsed() < Duration::from_secs(3600));
}

#[test]
fn a_periodic_timer_is_a_stream() {
    let runtime = runtime();
    let clock = runtime.clock();
    let ticks = runtime.block_on(async {
        clock.delay(Duration::from_millis(1)).await.expect("its driver is there");
        clock.periodic(Duration::from_millis(1)).take(3).collect::<Vec<_>>().await
    });
    assert!(ticks.is_sorted() && ticks.len() == 3);
}

#[test]
fn a_future_gets_a_timeout() {
    let runtime = runtime();
    let clock = runtime.clock();
    let never = std::future::pending::<()>();
    assert!(runtime.block_on(clock.timeout(Duration::from_millis(1), never)).is_err());
    let ready = std::future::ready(7);
    assert_eq!(runtime.block_on(clock.timeout(Duration::from_secs(60), ready)), Ok(7));
}

/// Whether the driver has a timer that waits.
fn has_timer(driver: &ClockDriver) -> bool {
    driver.next_deadline().is_some()
}

/// A delay that its clock's driver knows of.
fn registered(clock: &Clock) -> impl Future + use<> {
    let mut delay = Box::pin(clock.delay(Duration::from_secs(60)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(delay.as_mut().poll(&mut cx).is_pending());
    delay
}

#[test]
fn a_relocated_clone_has_the_timers_of_its_core() {
    let (first, second) = (CoreId::new(0), CoreId::new(1));
    // Whatever the caller says about the place before.
    for from in [[None, None], [Some(first), Some(second)], [Some(second), Some(first)]] {
        let root = InactiveClock::<Isolated>::new();
        let [mut a, mut b, mut same] = [root.clone(), root.clone(), root.clone()];
        a.relocate(from[0], first);
        b.relocate(from[1], second);
        same.relocate(None, first);
        let (a, driver_a) = a.activate();
        let (_b, driver_b) = b.activate();
        let (same, driver_same) = same.activate();
        let (_root, driver_root) = root.activate();
        let all = [&driver_a, &driver_same, &driver_b, &driver_root];
        let delay = registered(&a);
        assert_eq!(all.map(has_timer), [true, true, false, false]);
        drop(delay);
        let _delay = registered(&same);
        assert_eq!(all.map(has_timer), [true, true, false, false]);
    }
}

#[test]
fn a_clock_that_was_never_relocated_has_its_own_timers() {
    let root = InactiveClock::new();
    let mut moved = root.clone();
    moved.relocate(None, CoreId::new(0));
    let ((root, driver), (_moved, elsewhere)) = (root.activate(), moved.activate());
    let (_other, unrelated) = InactiveClock::new().activate();
    let _delay = registered(&root);
    assert_eq!([&driver, &elsewhere, &unrelated].map(has_timer), [true, false, false]);
}

#[test]
fn each_thread_activates_the_clone_of_its_core() {
    let root = InactiveClock::new();
    let threads = [0, 1].map(|core| {
        let mut clock = root.clone();
        thread::spawn(move || {
            clock.relocate(None, CoreId::new(core));
            let (clock, mut driver) = clock.activate();
            let delay = registered(&clock);
            assert!(driver.advance_timers(Instant::now()).is_ok_and(|next| next.is_some()));
            drop(delay);
            assert_eq!(driver.advance_timers(Instant::now()), Ok(None));
            drop(clock);
            assert_eq!(driver.advance_timers(Instant::now()), Err(ClockGone));
        })
    });
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn clones_of_a_shared_clock_have_one_set_of_timers_and_one_driver() {
    let clock: InactiveClock<Shared> = InactiveClock::new_shared();
    let clones = [clock.clone(), clock.clone()];
    let (clock, mut driver) = clock.activate();
    // Each thread activates its clone, and leaves the driving to the first one.
    let clocks = clones.map(|clone| {
        let activating = thread::spawn(move || clone.activate().0);
        activating.join().expect("no panic")
    });
    let delays: Vec<_> = clocks.iter().map(registered).collect();
    let later = Instant::now() + Duration::from_secs(120);
    assert!(has_timer(&driver));
    assert_eq!(driver.advance_timers(later), Ok(None));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for mut delay in delays.into_iter().map(Box::pin) {
        assert!(delay.as_mut().poll(&mut cx).is_ready());
    }
    drop(clocks);
    assert_eq!(driver.advance_timers(later), Ok(None));
    drop(clock);
    assert_eq!(driver.advance_timers(later), Err(ClockGone));
}

#[test]
fn an_event_loop_drives_a_clock() {
    let (sender, clocks) = std::sync::mpsc::channel();
    let driving = thread::spawn(move || {
        struct Unpark(thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = std::sync::Arc::new(Unpark(thread::current())).into();
        let (clock, mut driver) = InactiveClock::new_shared().activate_with(waker);
        sender.send(clock).expect("the receiver is alive");
        while let Ok(next) = driver.advance_timers(Instant::now()) {
            match next {
                Some(next) => thread::park_timeout(next.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
    });
    let clock = clocks.recv().expect("it is sent");
    let short = Duration::from_millis(2);
    assert!(runtime().block_on(produce_value(&clock, short)) >= short);
    drop(clock);
    driving.join().expect("the end of the last clock ends the loop");
}
