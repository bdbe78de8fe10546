//! The scheduler's thresholds: their sources and their effect.

use std::env;
use std::fs;
use std::process;
use std::time::Duration;

use loom::mab::{CalibrationConfig, MabKnobs, Reason};
use loom::{Arm, ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, Source};

fn built(builder: LoomBuilder) -> LoomRuntime {
    builder
        .tokio_threads(2)
        .rayon_threads(2)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("it starts")
}

#[test]
fn knobs_come_from_code_and_files_and_later_ones_win() {
    let path = env::temp_dir().join(format!("loom-knobs-{}.toml", process::id()));
    let text = "[mab_knobs]\np_high = 5\nt_block_hard_us = 80.5\n[calibration]\nsample_count = 20";
    fs::write(&path, text).expect("the folder for temporary files can be written");
    let of_file = built(LoomBuilder::new().file(&path));
    let in_code = MabKnobs { p_high: 4.0, p_low: 0.4, ..MabKnobs::new() };
    let both = built(LoomBuilder::new().file(&path).mab_knobs(in_code));
    // A leftover does no harm in the folder for temporary files.
    let _ = fs::remove_file(&path);

    let config = of_file.config();
    let expected = MabKnobs { p_high: 5.0, t_block_hard_us: 80.5, ..MabKnobs::new() };
    assert_eq!(config.mab_knobs, expected);
    assert_eq!(config.calibration.sample_count, 20);
    assert_eq!(config.source("mab_knobs.p_high"), Some(&Source::File(path.clone())));
    assert_eq!(config.source("mab_knobs.p_low"), Some(&Source::Default));
    let shown = config.to_string();
    assert!(shown.contains("mab_knobs.t_block_hard_us = 80.5 (from file"), "{shown}");
    assert!(!shown.contains("p_low"), "what nobody has set is left out: {shown}");
    // The file changes what it names of what the code has set.
    assert_eq!(both.config().mab_knobs, MabKnobs { p_low: 0.4, ..expected });
    assert_eq!(both.config().source("mab_knobs.p_high"), Some(&Source::File(path)));
    assert_eq!(both.config().source("mab_knobs.p_low"), Some(&Source::Code));
}

#[test]
fn knobs_out_of_bounds_are_errors_that_name_them() {
    let knobs = MabKnobs { decay: 1.5, ..MabKnobs::new() };
    let error = LoomBuilder::new().mab_knobs(knobs).build().expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "`mab_knobs.decay` is 1.5 (set in code); expected a number above 0 and below 1"
    );
    let none = CalibrationConfig::new().enabled().sample_count(0);
    let error = LoomBuilder::new().calibration_config(none).build().expect_err("it is refused");
    assert!(error.to_string().contains("`calibration.sample_count` is 0"), "{error}");
}

/// The arm of the last of 20 calls that each take `takes`, and its reason.
fn settled(knobs: MabKnobs, takes: Duration) -> (Arm, Reason) {
    let runtime = built(LoomBuilder::new().mab_knobs(knobs));
    let work = move || {
        let until = std::time::Instant::now() + takes;
        while std::time::Instant::now() < until {}
    };
    runtime.block_on(async {
        for _ in 0..20 {
            runtime.spawn_adaptive_with_hint(ComputeHint::Low, work).await;
        }
    });
    let verdict = runtime.functions()[0].verdict.expect("it was called");
    (verdict.arm, verdict.reason)
}

#[test]
fn thresholds_act() {
    // Far above every threshold, since the machine may be busy.
    let takes = Duration::from_millis(2);
    assert_eq!(settled(MabKnobs::new(), takes).0, Arm::OffloadRayon);
    let lax = MabKnobs { k_starve: 0.0, ..MabKnobs::new().without_strikes() };
    let lax = lax.with_thresholds(1e9, 1e9, 1e9);
    assert_eq!(settled(lax, takes), (Arm::InlineTokio, Reason::Cost));
    let strict = MabKnobs::new().with_thresholds(0.0, 0.0, 0.0);
    assert_eq!(settled(strict, Duration::ZERO), (Arm::OffloadRayon, Reason::HardCap));
}

#[test]
fn calibration_measures_once_and_before_the_first_call() {
    let few = CalibrationConfig::new().enabled().warmup_iterations(5).sample_count(50);
    let runtime = built(LoomBuilder::new().calibration_config(few));
    let measured = runtime.calibration().expect("it was asked for");
    assert!(measured.p50_us > 0.0 && measured.p50_us <= measured.p99_us, "{measured:?}");
    assert!(runtime.functions().is_empty(), "its calls are nobody's");
    assert_eq!(built(LoomBuilder::new()).calibration(), None);
}

#[tokio::test]
async fn calibration_works_within_async_code() {
    let host = tokio::runtime::Handle::current();
    let few = CalibrationConfig::new().enabled().warmup_iterations(0).sample_count(5);
    let runtime = LoomBuilder::new().beside(host).calibration_config(few).build();
    assert!(runtime.expect("it starts").calibration().is_some());
}

#[test]
fn what_is_no_knob_is_an_error_that_says_so() {
    let refused = |text: &str| {
        let name = format!("loom-knobs-{}-{}.toml", process::id(), text.len());
        let path = env::temp_dir().join(name);
        fs::write(&path, text).expect("the folder for temporary files can be written");
        let error = LoomBuilder::new().file(&path).build().expect_err("it is refused");
        // A leftover does no harm in the folder for temporary files.
        let _ = fs::remove_file(&path);
        error.to_string()
    };
    let error = refused("mab_knobs = 3");
    assert!(error.contains("expected a table, with keys such as `mab_knobs."), "{error}");
    let error = refused("[mab_knob]\ndecay = 0.5");
    assert!(error.contains("did you mean `mab_knobs`?"), "{error}");
    let error = refused("[mab_knobs]\ndecey = 0.5");
    assert!(error.contains("did you mean `mab_knobs.decay`?"), "{error}");
    let error = refused("\"mab_knobs.decay\" = 0.5\n[mab_knobs]\ndecay = 0.25");
    assert!(error.contains("`mab_knobs.decay` is given twice"), "{error}");
}

#[test]
fn calibration_is_switched_on_beside_what_else_is_said_of_it() {
    let few = CalibrationConfig::new().warmup_iterations(1).sample_count(3);
    let runtime = built(LoomBuilder::new().calibration_config(few).calibrate(true));
    assert_eq!(runtime.config().calibration, few.enabled());
    assert!(runtime.calibration().is_some());
}
