//! Each setting that takes a literal.

const WORKERS: usize = 2;

#[loom::main(
    prefix = "shop",
    tokio_threads = WORKERS,
    rayon_threads = 1,
    placement = "split",
    compute_priority = "nice",
    pin = false,
    cpuset = "0-63",
    tokio_flavor = "multi_thread",
    compute_queue = 9,
    slow_poll = "2ms 500us",
    max_spares = 16,
    env_prefix = "LOOM_UI_TEST",
    shutdown_timeout = "1min 30s",
)]
async fn main() {
    let runtime = loom::current_runtime().expect("it is inside");
    let config = runtime.config();
    assert_eq!((&*config.prefix, config.tokio_threads, config.rayon_threads), ("shop", 2, 1));
    assert_eq!(config.placement, loom::Placement::Split);
    assert_eq!(config.compute_priority, loom::ComputePriority::Nice);
    assert_eq!(config.pin, loom::Pin::No);
    assert_eq!(config.shutdown_timeout.as_secs(), 90);
    assert_eq!(config.compute_queue, 9);
    assert_eq!(config.slow_poll.map(|limit| limit.as_micros()), Some(2_500));
    assert_eq!(config.max_spares, 16);
    assert_eq!(config.tokio_flavor, loom::TokioFlavor::MultiThread);
    assert_eq!(config.source("cpuset"), Some(&loom::Source::Code));
}

#[test]
fn runs() {
    main();
}
