//! Timers endure every waker: those of delays, and those of drivers.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::tests::SECOND;
use super::{Clock, ClockControl, ClockDriver, Delay, InactiveClock};
use crate::hostile::{
    ALL, ENDS, Hostile, Place, Step, WAKES, Waiting, caught, endure, forget_here, here, poll,
    quietly,
};

/// Delays of a clock that an event loop drives.
struct Driven {
    clock: Clock,
    driver: RefCell<Option<ClockDriver>>,
    /// The driver is dropped instead.
    is_abandoned: bool,
}

impl Driven {
    fn new(is_abandoned: bool) -> Self {
        let (clock, driver) = InactiveClock::new().activate();
        Self { clock, driver: RefCell::new(Some(driver)), is_abandoned }
    }
}

impl Place for Driven {
    type Wait = Delay;

    fn wait(&self) -> Delay {
        self.clock.delay(Duration::from_secs(3600))
    }

    fn fire(&self) {
        let Ok(mut driver) = self.driver.try_borrow_mut() else { return };
        if self.is_abandoned {
            let abandoned = driver.take();
            drop(driver);
            return drop(abandoned);
        }
        if let Some(driver) = &mut *driver {
            let in_two_hours = Instant::now() + Duration::from_secs(7200);
            driver.advance_timers(in_two_hours).expect("there is a clock");
        }
    }
}

#[test]
fn a_delay_endures_every_waker() {
    for is_abandoned in [false, true] {
        endure(|| Driven::new(is_abandoned));
    }
}

/// What waits for a time.
#[derive(Clone, Copy)]
enum Kind {
    Delay,
    Timeout,
    Tick,
}

/// Such futures of a clock that a test moves, also from its wakers.
struct Controlled {
    control: ClockControl,
    kind: Kind,
}

impl Place for Controlled {
    type Wait = Pin<Box<dyn Future<Output = ()>>>;

    fn wait(&self) -> Self::Wait {
        let clock = self.control.clock();
        match self.kind {
            Kind::Delay => {
                let mut delay = clock.delay(SECOND);
                Box::pin(poll_fn(move |cx| Pin::new(&mut delay).poll(cx).map(drop)))
            }
            Kind::Timeout => {
                let mut timeout = Box::pin(clock.timeout(SECOND, pending::<()>()));
                Box::pin(poll_fn(move |cx| timeout.as_mut().poll(cx).map(drop)))
            }
            Kind::Tick => {
                let mut ticks = clock.periodic_at(clock.instant() + SECOND, SECOND);
                Box::pin(poll_fn(move |cx| ticks.poll_tick(cx).map(drop)))
            }
        }
    }

    fn fire(&self) {
        self.control.advance(SECOND);
    }
}

#[test]
fn timeouts_and_ticks_endure_every_waker() {
    for kind in [Kind::Delay, Kind::Timeout, Kind::Tick] {
        endure(|| Controlled { control: ClockControl::new(), kind });
    }
}

#[test]
fn a_driver_whose_waker_panics_harms_neither_clocks_nor_other_drivers() {
    for steps in [&WAKES[..], &ENDS, &ALL] {
        let [hostile, other] = [Hostile::default(), Hostile::default()];
        let clock = InactiveClock::new_shared();
        let (first, bad) = clock.clone().activate_with(hostile.waker());
        let (clock, mut good) = clock.activate_with(other.waker());
        drop(first);
        hostile.panics_on(steps);
        let mut delays = [3, 2, 1].map(|after| {
            let mut delay = Waiting::new(clock.delay(after * SECOND));
            quietly("a first timer", || delay.poll());
            delay
        });
        assert_eq!((hostile.wakes(), other.wakes()), (3, 3), "each timer is the first one");
        delays[0].poll();
        // Its waker is dropped by whoever changes the list of drivers.
        quietly("the end of a driver", || drop(bad));
        assert_eq!(hostile.live(), 0);
        good.advance_timers(Instant::now() + Duration::from_secs(3600)).expect("there is a clock");
        delays.into_iter().for_each(Waiting::ends);
        drop(clock);
        assert_eq!(other.wakes(), 4, "the last clock is gone");
        drop(good);
        assert_eq!(other.live(), 0);
    }
}

/// The last driver takes its waker with it, and its delays have to learn of the end.
#[test]
fn a_last_driver_whose_waker_panics_fails_its_delays_all_the_same() {
    let hostile = Hostile::default();
    let (clock, driver) = InactiveClock::new().activate_with(hostile.waker());
    hostile.panics_on(&ENDS);
    let delays = [1, 2].map(|after| Waiting::of(clock.delay(after * SECOND)));
    quietly("the end of the driver", || drop(driver));
    delays.into_iter().for_each(Waiting::ends);
    drop(clock);
    assert_eq!(hostile.live(), 0);
}

#[test]
fn a_clock_that_ends_while_the_thread_unwinds_does_not_end_the_process() {
    let [one, other] = [Hostile::default(), Hostile::default()];
    let clock = InactiveClock::new_shared();
    let drivers = [&one, &other].map(|hostile| {
        let clock = clock.clone();
        clock.activate_with(hostile.waker())
    });
    one.panics_on(&ENDS);
    other.panics_on(&ENDS);
    let unwound = caught(move || {
        let _dropped_by_the_unwind = (drivers, clock);
        panic!("the only panic");
    });
    assert_eq!(unwound, None::<()>);
    assert_eq!((one.live(), other.live()), (0, 0));
}

#[test]
fn a_driver_may_use_its_clock_from_its_waker() {
    for steps in [&WAKES[..], &[Step::Drop]] {
        let hostile = Hostile::default();
        let (clock, driver) = InactiveClock::new_shared().activate_with(hostile.waker());
        let driver = Rc::new(RefCell::new(Some(driver)));
        let kept = Rc::new(RefCell::new(Vec::new()));
        hostile.on(
            steps,
            here({
                let (clock, driver, kept) = (clock.clone(), Rc::clone(&driver), Rc::clone(&kept));
                move || {
                    let mut delay = clock.delay(2 * SECOND);
                    let is_over = poll(&mut delay, std::task::Waker::noop()).is_ready();
                    kept.borrow_mut().push((delay, is_over));
                    let other = driver.borrow_mut().take();
                    drop(other);
                }
            }),
        );
        let first = Waiting::of(clock.delay(SECOND));
        let dropped = driver.borrow_mut().take();
        drop(dropped);
        // The driver has gone, by its own waker or here.
        first.ends();
        let kept = kept.take();
        assert!(!kept.is_empty(), "{steps:?}");
        for (mut delay, is_over) in kept {
            assert!(is_over || poll(&mut delay, std::task::Waker::noop()).is_ready());
        }
        hostile.behave();
        forget_here();
        drop(clock);
        assert_eq!(hostile.live(), 0);
    }
}
