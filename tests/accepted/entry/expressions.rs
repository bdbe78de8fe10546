//! Settings that are no literals.

use std::time::Duration;

const NAME: &str = "shop";

fn knobs() -> loom::mab::MabKnobs {
    loom::mab::MabKnobs { t_block_hard_us: 300.0, ..loom::mab::MabKnobs::new() }
}

#[loom::main(
    prefix = concat!("my-", "shop"),
    tokio_threads = NAME.len(),
    shutdown_timeout = Duration::from_millis(1_500),
    slow_poll = Duration::from_millis(3),
    placement = loom::Placement::Shared,
    compute_priority = loom::ComputePriority::Normal,
    tokio_flavor = loom::TokioFlavor::MultiThread,
    pin = loom::Pin::No,
    mab_knobs = knobs(),
    calibration_config = loom::mab::CalibrationConfig::new().enabled().sample_count(100),
    calibrate = NAME.is_empty(),
)]
async fn main() {
    let runtime = loom::current_runtime().expect("it is inside");
    let config = runtime.config();
    assert_eq!((&*config.prefix, config.tokio_threads), ("my-shop", 4));
    assert_eq!(config.shutdown_timeout.as_millis(), 1_500);
    assert_eq!(config.slow_poll, Some(Duration::from_millis(3)));
    assert!((config.mab_knobs.t_block_hard_us - 300.0).abs() < f64::EPSILON);
    assert!(runtime.calibration().is_none(), "the last word is `calibrate`");
}

#[test]
fn runs() {
    main();
}
