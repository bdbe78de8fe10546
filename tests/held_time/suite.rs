//! Time that a test holds: `#[loom::test(start_paused)]` and `loom::time::ClockControl`.

mod controlled;
mod paused;
