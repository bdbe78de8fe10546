//! What clocks promise that a test moves, and promises of all clocks that are easiest to test on
//! them.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use super::tests::{OVER, SECOND, look};
use super::{ClockControl, MissedTickBehavior, TimeoutError};

#[test]
fn missed_ticks_come_at_once_or_not() {
    let expected = [
        (MissedTickBehavior::Burst, [0, 1000, 2000, 3000, 4000]),
        (MissedTickBehavior::Delay, [0, 1000, 4500, 5500, 6500]),
        (MissedTickBehavior::Skip, [0, 1000, 4000, 5000, 6000]),
    ];
    for (missed, expected) in expected {
        let control = ClockControl::new();
        let clock = control.clock();
        let start = clock.instant();
        let mut ticks = clock.periodic(SECOND);
        ticks.set_missed_tick_behavior(missed);
        let mut next = || loop {
            match ticks.poll_tick(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(due) => return (due.expect("the clock is driven") - start).as_millis(),
                Poll::Pending => control.advance_to_next().expect("a timer waits"),
            };
        };
        let mut seen = vec![next()];
        // The next tick is late by two and a half periods.
        control.advance(Duration::from_millis(3500));
        seen.extend((0..4).map(|_| next()));
        assert_eq!(seen, expected, "{missed:?}");
    }
    let clock = ClockControl::new().clock();
    assert!(catch_unwind(AssertUnwindSafe(|| clock.periodic(Duration::ZERO))).is_err());
}

#[test]
fn a_deadline_in_centuries_is_nothing_to_wait_for() {
    let control = ClockControl::new();
    let mut never = control.clock().delay(Duration::from_millis(u64::MAX));
    assert!(look(&mut never).is_pending());
    assert_eq!(control.advance_to_next(), None);
    control.advance(Duration::from_secs(24 * 365 * 600 * 3600));
    assert!(look(&mut never).is_pending());
}

#[test]
fn a_timer_within_the_limit_is_never_left_waiting() {
    let control = ClockControl::new();
    let clock = control.clock();
    let mut first = clock.delay(5 * SECOND);
    assert!(look(&mut first).is_pending());
    let _control = control.auto_advance_timers(true).auto_advance_limit(60 * SECOND);
    assert_eq!(look(&mut clock.delay(10 * SECOND)), OVER);
    assert_eq!(look(&mut first), OVER);
}

#[test]
fn a_timeout_prefers_the_result() {
    let control = ClockControl::new();
    let clock = control.clock();
    let mut slow = pin!(clock.timeout(SECOND, pending::<()>()));
    let mut both = pin!(clock.timeout(SECOND, clock.delay(SECOND)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut cx).is_pending() && both.as_mut().poll(&mut cx).is_pending());
    control.advance(SECOND);
    assert_eq!(slow.as_mut().poll(&mut cx), Poll::Ready(Err(TimeoutError::Elapsed)));
    assert_eq!(both.as_mut().poll(&mut cx), Poll::Ready(Ok(Ok(()))));
}

#[test]
fn a_controlled_clock_moves_when_it_is_told() {
    let at = SystemTime::UNIX_EPOCH + 1000 * SECOND;
    let control = ClockControl::new_at(at);
    let clock = control.clock();
    let mut watch = clock.stopwatch();
    assert_eq!((clock.system_time(), watch.elapsed()), (at, Duration::ZERO));
    control.advance(SECOND);
    assert_eq!((clock.system_time(), watch.restart()), (at + SECOND, SECOND));
    assert_eq!((watch.elapsed(), control.advance_to_next()), (Duration::ZERO, None));
    let mut delays = [2, 5].map(|n| clock.delay(n * SECOND));
    for delay in &mut delays {
        assert!(look(delay).is_pending());
    }
    assert_eq!(control.advance_to_next(), Some(2 * SECOND));
    assert_eq!(control.advance_to_next(), Some(3 * SECOND));

    let control = control.auto_advance_timers(true).auto_advance_limit(10 * SECOND);
    assert_eq!(look(&mut clock.delay(4 * SECOND)), OVER);
    assert_eq!(look(&mut clock.delay(6 * SECOND)), OVER);
    assert_eq!(look(&mut clock.delay(SECOND)), Poll::Pending, "the deadline is beyond the limit");
    let _control = control.auto_advance_limit(SECOND).auto_advance_timers(false);
    assert_eq!(look(&mut clock.delay(SECOND)), Poll::Pending, "it moves no longer by itself");
}
