//! What a runtime counts, and how a Prometheus registry shows it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use loom::{Arm, ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, Priority};
use prometheus::proto::MetricType;
use prometheus::{Registry, TextEncoder};

fn runtime() -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(2)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("it starts")
}

/// Every line that is a sample: its name with its labels, and its value.
fn samples(registry: &Registry) -> BTreeMap<String, f64> {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).expect("it is text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

#[track_caller]
fn assert_sample(samples: &BTreeMap<String, f64>, name: &str, value: f64) {
    let found = samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
    assert!((found - value).abs() < 1e-9, "{name} is {found}");
}

#[loom::compute(mode = "offload")]
fn offloaded(n: u64) -> u64 {
    n + 1
}

#[loom::compute(mode = "inline")]
fn inline(n: u64) -> u64 {
    n + 1
}

#[loom::compute(mode = "offload")]
fn failing() {
    panic!("out of ink");
}

#[test]
fn a_registry_shows_what_was_called() {
    let registry = Registry::new();
    let builder = LoomBuilder::new().prefix("my-shop").prometheus_registry(registry.clone());
    let runtime = builder
        .tokio_threads(2)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("it starts");
    let failed = runtime.block_on(async {
        for n in 0..3 {
            offloaded(n).await;
        }
        for n in 0..2000 {
            inline(n).await;
        }
        loom::spawn_async(async {}).await.expect("it does not panic");
        loom::spawn_async(failing()).await
    });
    assert!(failed.is_err());
    runtime.block_until_idle();
    let seen = samples(&registry);
    let of = |metric: &str, function: &str, more: &str| {
        format!("my_shop_function_{metric}{{function=\"metrics::{function}\",size=\"\",{more}}}")
    };
    assert_sample(&seen, "my_shop_spawns_total", 2.0);
    assert_sample(&seen, "my_shop_inflight_tasks", 0.0);
    assert_sample(&seen, "my_shop_rayon_queue_depth", 0.0);
    assert_sample(&seen, "my_shop_inline_decisions_total", 2000.0);
    assert_sample(&seen, "my_shop_offload_decisions_total", 4.0);
    assert_sample(&seen, "my_shop_compute_run_total", 4.0);
    assert_sample(&seen, "my_shop_compute_panics_total", 1.0);
    assert_sample(&seen, &of("calls_total", "offloaded", "arm=\"offload\""), 3.0);
    assert_sample(&seen, &of("calls_total", "inline", "arm=\"inline\""), 2000.0);
    for (function, outcome, n) in
        [("offloaded", "done", 3.0), ("inline", "done", 2000.0), ("failing", "panicked", 1.0)]
    {
        let outcome = format!("outcome=\"{outcome}\"");
        assert_sample(&seen, &of("outcomes_total", function, &outcome), n);
    }
}

#[test]
fn every_name_of_this_kind_of_runtime_is_there() {
    let registry = Registry::new();
    let runtime = runtime();
    runtime.prometheus_metrics().register(&registry).expect("it is the first");
    let seen = samples(&registry);
    for name in [
        "inflight_tasks",
        "local_tasks",
        "rayon_queue_depth",
        "spawn_rate",
        "pressure_index",
        "total_spawns",
        "starvation_events",
        "priority_changes_total",
        "cpu_budget",
        "cpu_budget_changes_total",
        "throttled_periods_total",
        "inherited_idle_total",
        "gr1_activations",
        "gr2_activations",
        "gr3_activations",
        "gr4_activations",
        "inline_decisions",
        "offload_decisions",
    ] {
        assert!(seen.contains_key(&format!("loom_{name}")), "{name}: {seen:#?}");
    }
}

/// Prometheus' conventions: counters end in `_total`, and times are in seconds.
#[test]
fn names_follow_the_conventions() {
    let registry = Registry::new();
    let runtime = runtime();
    runtime.prometheus_metrics().register(&registry).expect("it is the first");
    let tracked = runtime.spawn_async(async { 1 });
    assert_eq!(runtime.block_on(tracked).ok(), Some(1));
    let (mut counters, mut old) = (0, Vec::new());
    for family in registry.gather() {
        let (name, help) = (family.name(), family.help());
        assert!(!name.ends_with("_us") && !name.ends_with("_ms"), "{name}");
        if family.get_field_type() != MetricType::COUNTER {
            assert!(!name.ends_with("_total"), "{name}");
        } else if let Some(new) = help.strip_prefix("The old name of ") {
            let new = new.strip_suffix(", for one release").expect("it says until when");
            old.push((name.to_owned(), new.to_owned()));
        } else {
            assert!(name.ends_with("_total"), "{name}");
            counters += 1;
        }
    }
    assert_eq!((counters, old.len()), (19, 9), "{old:?}");
    let seen = samples(&registry);
    for (old, new) in old {
        assert_sample(&seen, &old, seen[&new]);
    }
    assert_sample(&seen, "loom_total_spawns", 1.0);
}

#[test]
fn two_runtimes_of_one_name_do_not_fit_one_registry() {
    let registry = Registry::new();
    let builder = LoomBuilder::new().rayon_threads(1).prometheus_registry(registry.clone());
    let first = builder.clone().build().expect("it starts");
    let error = builder.clone().build().expect_err("the names are taken").to_string();
    assert!(error.starts_with("`prometheus_registry` is one that refuses metrics named `loom_…`"));
    assert!(error.ends_with("give each runtime of a process a `prefix` or a registry of its own"));
    builder.clone().prefix("other").build().expect("other names");
    drop(first);
    assert_eq!(samples(&registry).len(), 0, "the runtimes have ended");
    // A successor of the same name, also while a handle of the runtime that has ended exists.
    for _ in 0..2 {
        let runtime = builder.clone().build().expect("the names are free");
        runtime.block_on(runtime.spawn_async(async {})).expect("no panic");
        assert_sample(&samples(&registry), "loom_spawns_total", 1.0);
        let metrics = runtime.prometheus_metrics().clone();
        let _handle = runtime.clone();
        runtime.shutdown_background();
        assert_eq!((samples(&registry).len(), metrics.total_spawns.get()), (0, 1));
    }
}

#[test]
fn histograms_add_up() {
    let registry = Registry::new();
    let runtime = runtime();
    runtime.prometheus_metrics().register(&registry).expect("it is the first");
    runtime.block_on(async {
        for n in 0..50 {
            offloaded(n).await;
        }
    });
    let seen = samples(&registry);
    let of = |part: &str, more: &str| {
        let name = "loom_function_queue_wait_seconds";
        format!("{name}_{part}{{function=\"metrics::offloaded\",size=\"\"{more}}}")
    };
    assert_sample(&seen, &of("count", ""), 50.0);
    assert_sample(&seen, &of("bucket", ",le=\"+Inf\""), 50.0);
    assert!(seen[&of("sum", "")] > 0.0);
    let function = &runtime.functions()[0];
    assert_eq!(function.queue_waits.count(), 50);
    assert_eq!(function.run_times.count(), 50);
    let sum = function.queue_waits.sum().as_secs_f64();
    assert!((seen[&of("sum", "")] - sum).abs() < 1e-9);
}

#[test]
fn what_became_of_calls_is_counted_once_each() {
    let runtime = LoomBuilder::new()
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
        .compute_queue(1)
        .build()
        .expect("it starts");
    let (release, held) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let work = move |held: Option<mpsc::Receiver<()>>| {
        move || {
            let _sent = started.send(());
            held.map(|held| held.recv())
        }
    };
    // All calls have the same closure type, so they count as one function.
    let busy = runtime.spawn_adaptive_with_hint(ComputeHint::High, work.clone()(Some(held)));
    assert_eq!(busy.arm(), Arm::OffloadRayon);
    has_started.recv().expect("it runs");
    runtime.block_on(async {
        let mut given_up = runtime.spawn_adaptive_with_hint(ComputeHint::High, work(None));
        assert!(poll_once(&mut given_up).await.is_none(), "the only thread is busy");
    });
    release.send(()).expect("it waits");
    runtime.block_on(busy);
    let seen = runtime.functions();
    let sums = seen.iter().fold([0; 5], |sums, function| {
        let of = [
            function.offloaded,
            function.returned,
            function.panicked,
            function.abandoned,
            function.refused,
        ];
        std::array::from_fn(|at| sums[at] + of[at])
    });
    assert_eq!(sums, [2, 1, 0, 1, 0]);
    assert_eq!(runtime.prometheus_metrics().compute_abandoned.get(), 1);
}

/// The result, if one poll is enough.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn who_comes_behind_others_is_told_how_long_it_waits() {
    let runtime = runtime();
    let (release, held) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let busy = runtime.spawn_compute(move || {
        started.send(()).expect("the test waits");
        held.recv().is_err()
    });
    has_started.recv().expect("it runs");
    assert_eq!(runtime.expected_queue_wait(Priority::Normal), Duration::ZERO);
    let behind: Vec<_> =
        (0..40).map(|n| runtime.spawn_adaptive_with_hint(ComputeHint::High, move || n)).collect();
    assert_eq!(runtime.prometheus_metrics().rayon_queue_depth.get(), 40);
    // The expected wait grows once the keeper sees that no call starts.
    while runtime.expected_queue_wait(Priority::Normal) < Duration::from_millis(100) {
        std::thread::yield_now();
    }
    drop(release);
    assert!(runtime.block_on(busy));
    for (n, call) in behind.into_iter().enumerate() {
        assert_eq!(runtime.block_on(call), n);
    }
    assert_eq!(runtime.expected_queue_wait(Priority::Normal), Duration::ZERO);
}

/// Every metric that `docs/grafana.json` asks for exists, with the labels that it groups by.
#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let registry = Registry::new();
    let runtime = LoomBuilder::new().prometheus_registry(registry.clone()).build();
    let runtime = runtime.expect("it starts");
    runtime.block_on(async {
        offloaded(1).await;
        let long = async {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_millis(20) {}
        };
        loom::observe("long", long).await;
    });
    let text = TextEncoder::new().encode_to_string(&registry.gather()).expect("it is text");
    let dashboard = include_str!("../docs/grafana.json");
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let names = dashboard.match_indices("loom_").map(|(at, _)| {
        let rest = &dashboard[at..];
        &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())]
    });
    let names: std::collections::BTreeSet<_> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let has_samples = text
            .lines()
            .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        assert!(has_samples, "no {name} in {text}");
    }
    for label in ["function=", "arm=", "outcome=", "place="] {
        assert!(text.contains(label), "{label}");
    }
}
