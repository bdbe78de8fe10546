//! What clocks promise, one test for each promise.

use std::future::pending;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::{
    Clock, ClockControl, ClockDriver, ClockGone, CoreId, Delay, DriverGone, InactiveClock,
    TimeoutError,
};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, mpsc, rounds, thread};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::<Self>::default();
        (Arc::clone(&counter), Waker::from(counter))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls a function when it is woken.
struct CallOnWake<F>(F);

impl<F: Fn() + Send + Sync> Wake for CallOnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn calling(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(CallOnWake(f)))
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

pub(super) fn look<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll(future, Waker::noop())
}

fn driven() -> (Clock, ClockDriver) {
    InactiveClock::new().activate()
}

pub(super) const OVER: Poll<Result<(), DriverGone>> = Poll::Ready(Ok(()));
const GONE: Poll<Result<(), DriverGone>> = Poll::Ready(Err(DriverGone));

#[test]
fn clocks_may_go_to_any_thread() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<InactiveClock>();
    is_shared::<InactiveClock<super::Shared>>();
    is_shared::<Clock>();
    is_shared::<ClockDriver>();
    is_shared::<Delay>();
    is_shared::<super::Periodic>();
    is_shared::<ClockControl>();
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    let (clock, mut driver) = driven();
    let (start, order) = (clock.instant(), Arc::new(Mutex::new(Vec::new())));
    let mut delays: Vec<Delay> = [3, 1, 2, 1].map(|n| clock.delay_until(start + n * SECOND)).into();
    for (i, delay) in delays.iter_mut().enumerate() {
        let order = Arc::clone(&order);
        let _ = poll(delay, &calling(move || order.lock().expect("no panic").push(i)));
    }
    assert_eq!(driver.advance_timers(start), Ok(Some(start + SECOND)));
    assert_eq!(driver.next_deadline(), Some(start + SECOND));
    assert_eq!(driver.advance_timers(start + 2 * SECOND), Ok(Some(start + 3 * SECOND)));
    assert_eq!(*order.lock().expect("no panic"), [1, 3, 2]);
    assert_eq!(driver.advance_timers(start + 3 * SECOND), Ok(None));
    assert_eq!(*order.lock().expect("no panic"), [1, 3, 2, 0]);
    assert!(delays.iter_mut().all(|delay| look(delay) == OVER));
}

#[test]
fn a_deadline_counts_from_creation_and_is_never_early() {
    let control = ClockControl::new();
    let clock = control.clock();
    let mut delay = clock.delay(10 * SECOND);
    control.advance(4 * SECOND);
    // The first poll is late. The delay is still due ten seconds after it was made.
    assert_eq!(look(&mut delay), Poll::Pending);
    control.advance(Duration::new(5, 999_999_999));
    assert_eq!(look(&mut delay), Poll::Pending);
    control.advance(Duration::from_nanos(1));
    assert_eq!(look(&mut delay), OVER);
    // A delay whose deadline has passed before the first poll needs no timer.
    let mut delay = clock.delay(SECOND);
    control.advance(SECOND);
    assert_eq!(look(&mut delay), OVER);
    assert_eq!(look(&mut clock.delay(Duration::ZERO)), OVER);
}

#[test]
fn a_delay_that_is_over_stays_over() {
    let (clock, mut driver) = driven();
    let mut delay = clock.delay(SECOND);
    assert_eq!(look(&mut delay), Poll::Pending);
    driver.advance_timers(delay.deadline()).expect("there are clocks");
    for _ in 0..3 {
        assert_eq!(look(&mut delay), OVER);
    }
    drop(driver);
    assert_eq!(look(&mut delay), OVER);
    assert!(delay.is_over());
}

#[test]
fn another_waker_is_the_one_that_wakes() {
    let (clock, mut driver) = driven();
    let mut delay = clock.delay(SECOND);
    let ((first, one), (second, other)) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut delay, &one).is_pending() && poll(&mut delay, &other).is_pending());
    drop(one);
    assert_eq!(Arc::strong_count(&first), 1, "the first waker was dropped");
    driver.advance_timers(delay.deadline()).expect("there are clocks");
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn wakers_run_outside_of_every_lock() {
    let (clock, mut driver) = driven();
    let (start, again) = (clock.instant(), Arc::new(Mutex::new(Vec::new())));
    let mut delay = clock.delay_until(start + SECOND);
    let waker = {
        let (clock, again) = (clock.clone(), Arc::clone(&again));
        calling(move || {
            // Use the clock in each way that takes the lock.
            let mut delays = [SECOND, 2 * SECOND].map(|after| clock.delay_until(start + after));
            for delay in &mut delays {
                let _ = look(delay);
            }
            let [dropped, kept] = delays;
            drop(dropped);
            again.lock().expect("no panic").push(kept);
            let _ = format!("{clock:?}");
        })
    };
    let _ = poll(&mut delay, &waker);
    assert_eq!(driver.advance_timers(start + SECOND), Ok(Some(start + 2 * SECOND)));
    assert_eq!(again.lock().expect("no panic").len(), 1);
    // A driver's own waker uses the clock as well: when a timer is registered, and when the clock
    // is dropped.
    let used = Arc::new(Mutex::new(None::<Clock>));
    let waker = {
        let used = Arc::clone(&used);
        calling(move || {
            let clock = used.lock().expect("no panic").clone();
            let _ = clock.map(|clock| look(&mut clock.delay(SECOND)));
        })
    };
    let (clock, driver) = InactiveClock::new().activate_with(waker);
    *used.lock().expect("no panic") = Some(clock.clone());
    let _ = look(&mut clock.delay(3600 * SECOND));
    used.lock().expect("no panic").take();
    drop((clock, driver));
}

#[test]
fn a_waker_that_panics_loses_no_other_timer() {
    let (clock, mut driver) = driven();
    let (counter, waker) = Wakes::new();
    let start = clock.instant();
    let mut delays: Vec<_> = (1..=200).map(|n| clock.delay_until(start + n * SECOND)).collect();
    for (i, delay) in delays.iter_mut().enumerate() {
        let panics = calling(|| panic!("in wake"));
        let _ = poll(delay, if i % 2 == 0 { &panics } else { &waker });
    }
    assert_eq!(driver.advance_timers(start + 200 * SECOND), Ok(None));
    assert_eq!(counter.count(), 100);
    assert!(delays.iter_mut().all(|delay| look(delay) == OVER));
}

#[test]
fn a_driver_that_has_gone_fails_its_delays() {
    let (clock, driver) = driven();
    let (counter, waker) = Wakes::new();
    let mut delay = clock.delay(SECOND);
    let mut timeout = pin!(clock.timeout(SECOND, pending::<()>()));
    let mut ticks = clock.periodic(SECOND);
    assert!(poll(&mut delay, &waker).is_pending());
    let mut cx = Context::from_waker(&waker);
    assert!(timeout.as_mut().poll(&mut cx).is_pending());
    assert!(ticks.poll_tick(&mut cx).is_ready(), "the first comes at once");
    assert!(ticks.poll_tick(&mut cx).is_pending());
    drop(driver);
    assert_eq!(counter.count(), 3);
    assert_eq!((poll(&mut delay, &waker), look(&mut delay)), (GONE, GONE));
    let gone = TimeoutError::DriverGone(DriverGone);
    assert_eq!(timeout.as_mut().poll(&mut cx), Poll::Ready(Err(gone)));
    assert_eq!(ticks.poll_tick(&mut cx), Poll::Ready(Err(DriverGone)));
    assert_eq!(Pin::new(&mut ticks).poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(look(&mut clock.delay(SECOND)), GONE);
    assert_eq!(look(&mut clock.delay(Duration::ZERO)), OVER);
}

#[test]
fn a_driver_is_woken_for_the_first_timer_an_earlier_one_and_the_end() {
    let (counter, waker) = Wakes::new();
    let (clock, mut driver) = InactiveClock::new_shared().activate_with(waker);
    let now = clock.instant();
    let register = |after: u32| {
        let mut delay = clock.delay_until(now + after * SECOND);
        assert!(look(&mut delay).is_pending());
        delay
    };
    let mut seen = Vec::new();
    let delays: Vec<_> = [10, 20, 10, 5]
        .map(|after| {
            let delay = register(after);
            seen.push(counter.count());
            delay
        })
        .into();
    assert_eq!(seen, [1, 1, 1, 2]);
    let other = clock.clone();
    drop(clock);
    drop(other);
    assert_eq!(counter.count(), 2, "a delay keeps its clock alive");
    assert_eq!(driver.advance_timers(now), Ok(Some(now + 5 * SECOND)));
    drop(delays);
    assert_eq!(counter.count(), 3);
    assert_eq!(driver.advance_timers(now), Err(ClockGone));
}

#[test]
fn nothing_recurses_with_the_number_of_timers() {
    const TIMERS: usize = rounds(100_000);
    /// These are dropped after the driver, and the others before.
    const KEPT: usize = TIMERS - TIMERS / 100;
    // So long that none is over before it is polled.
    let hours = |number: usize| Duration::from_secs((number as u64 % 7 + 1) * 3600);
    let (clock, mut driver) = driven();
    let start = clock.instant();
    let (counter, waker) = Wakes::new();
    let small = thread::Builder::new().stack_size(128 * 1024);
    let body = move || {
        let delay = |number| clock.delay_until(start + hours(number));
        let mut delays: Vec<_> = (0..TIMERS).map(delay).collect();
        for delay in &mut delays {
            let _ = poll(delay, &waker);
        }
        // A chain of timers as well: each is registered after the one before has fired.
        let control = ClockControl::new().auto_advance_timers(true);
        for _ in 0..TIMERS {
            assert_eq!(look(&mut control.clock().delay(SECOND)), OVER);
        }
        assert_eq!(driver.advance_timers(start + hours(5)), Ok(Some(start + hours(6))));
        drop(delays.split_off(KEPT));
        drop(driver);
        delays
    };
    let delays = small.spawn(body).expect("a thread").join().expect("no overflow");
    let never_woken = (KEPT..TIMERS).filter(|number| hours(*number) == hours(6)).count();
    assert_eq!((delays.len(), counter.count()), (KEPT, TIMERS - never_woken));
}

#[test]
fn a_clock_that_was_moved_has_the_timers_of_its_core() {
    let original = InactiveClock::new();
    let activated = |core: usize| {
        let mut clock = original.clone();
        clock.relocate(None, CoreId::new(core));
        clock.activate()
    };
    let ((clock, mut driver), (same, _other_driver)) = (activated(0), activated(0));
    let (elsewhere, mut apart) = activated(1);
    let now = clock.instant();
    let mut delays = [&same, &elsewhere].map(|clock| clock.delay_until(now + SECOND));
    for delay in &mut delays {
        assert!(look(delay).is_pending());
    }
    assert_eq!(driver.next_deadline(), Some(now + SECOND), "two clones on one core share them");
    driver.advance_timers(now + SECOND).expect("there are clocks");
    assert_eq!(delays.each_mut().map(look), [OVER, Poll::Pending]);
    apart.advance_timers(now + SECOND).expect("there are clocks");
    assert_eq!(delays.each_mut().map(look), [OVER, OVER]);

    // What the caller knows of the core before decides nothing.
    let (mut here, mut there) = (original.clone(), original.clone());
    here.relocate(Some(CoreId::new(2)), CoreId::new(2));
    there.relocate(Some(CoreId::new(3)), CoreId::new(3));
    let [(of_none, none), (here, two), (there, three)] =
        [original.clone(), here, there].map(InactiveClock::activate);
    let mut delay = here.delay(SECOND);
    assert!(look(&mut delay).is_pending());
    let seen = [&none, &two, &three].map(ClockDriver::next_deadline);
    assert_eq!(seen, [None, Some(delay.deadline()), None]);
    drop((of_none, there));
}

#[test]
fn clones_of_a_shared_clock_share_timers_and_driver() {
    let clock = InactiveClock::new_shared();
    let clones = [clock.clone(), clock.clone()];
    let (clock, mut driver) = clock.activate();
    let clones = clones.map(InactiveClock::activate);
    let now = clock.instant();
    let mut delays: Vec<_> = clones.iter().map(|(of, _)| of.delay_until(now + SECOND)).collect();
    assert!(delays.iter_mut().all(|delay| look(delay).is_pending()));
    let drivers = clones.map(|(clock, driver)| {
        assert_eq!(driver.next_deadline(), Some(now + SECOND));
        drop(clock);
        driver
    });
    // One driver is enough for all of them.
    drop(drivers);
    assert_eq!(driver.advance_timers(now + SECOND), Ok(None));
    assert!(delays.iter_mut().all(|delay| look(delay) == OVER));
    drop((delays, clock));
    assert_eq!(driver.advance_timers(now + SECOND), Err(ClockGone));
}

#[test]
fn a_driver_that_sleeps_is_never_late_by_a_missed_wake() {
    struct Unparks(thread::Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (sender, clocks) = mpsc::channel();
    let driving = thread::spawn(move || {
        let waker = Waker::from(Arc::new(Unparks(thread::current())));
        let (clock, mut driver) = InactiveClock::new_shared().activate_with(waker);
        sender.send(clock).expect("the receiver is alive");
        while let Ok(next) = driver.advance_timers(Instant::now()) {
            match next {
                Some(next) => thread::park_timeout(next.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
    });
    let clock = clocks.recv().expect("the sender sends first");
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let clock = clock.clone();
            thread::spawn(move || {
                let waker = Waker::from(Arc::new(Unparks(thread::current())));
                for n in 0..rounds(2_000) as u64 {
                    let deadline = clock.instant() + Duration::from_micros(n % 50);
                    let mut delay = clock.delay_until(deadline);
                    while poll(&mut delay, &waker).is_pending() {
                        thread::park();
                    }
                    assert!(clock.instant() >= deadline);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    drop(clock);
    driving.join().expect("the end woke it");
}
