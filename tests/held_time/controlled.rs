//! Clocks that a test moves, as tick documents them.

use std::time::{Duration, SystemTime};

use loom::time::{Clock, ClockControl};
use loom::{LoomBuilder, LoomRuntime};

const MINUTE: Duration = Duration::from_secs(60);

fn runtime() -> LoomRuntime {
    let builder = LoomBuilder::new().pin_threads(false).tokio_threads(2).rayon_threads(2);
    builder.build().expect("the system has threads")
}

async fn produce_value(clock: &Clock, duration: Duration) -> Duration {
    let watch = clock.stopwatch();
    clock.delay(duration).await.expect("its driver is there");
    watch.elapsed()
}

#[test]
fn time_moves_by_itself_for_timers() {
    let clock = ClockControl::new().auto_advance_timers(true).clock();
    assert_eq!(runtime().block_on(produce_value(&clock, MINUTE)), MINUTE);
}

#[test]
fn a_limit_bounds_how_far_time_moves_by_itself() {
    let control = ClockControl::new().auto_advance_timers(true).auto_advance_limit(MINUTE);
    let clock = control.clock();
    let both = clock.timeout(MINUTE / 2, clock.delay(2 * MINUTE));
    assert!(runtime().block_on(both).is_err());
    assert_eq!(control.advance_to_next(), None);
}

#[test]
fn a_test_moves_time_by_hand() {
    let start = SystemTime::UNIX_EPOCH + MINUTE;
    let control = ClockControl::new_at(start);
    let clock = control.clock();
    control.advance(MINUTE);
    assert_eq!(clock.system_time(), start + MINUTE);
}
