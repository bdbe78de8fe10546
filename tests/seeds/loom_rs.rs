//! What loom-rs documents.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use clap::Parser;
use loom::mab::{
    Arm, CalibrationConfig, ComputeHint, ComputeHintProvider, Context, DecisionId, FunctionKey,
    MabKnobs, MabScheduler,
};
use loom::{ComputeStreamExt, LoomArgs, LoomBuilder, Scope};
use prometheus::{Registry, TextEncoder};
use rayon::prelude::*;
use tokio_stream::StreamExt;

use crate::runtime;

#[test]
fn the_quick_start_runs() {
    let runtime = LoomBuilder::new()
        .prefix("seeds")
        .tokio_threads(2)
        .rayon_threads(2)
        .pin_threads(false)
        .build()
        .expect("the settings are right");
    runtime.block_on(async {
        let io = runtime.spawn_async(async { 42 });
        let sum = runtime.spawn_compute(|| (0..1000).sum::<i64>()).await;
        let parallel = runtime.install(|| (0..1000).into_par_iter().sum::<i64>());
        assert_eq!((sum, parallel, io.await.ok()), (499_500, 499_500, Some(42)));
    });
    runtime.block_until_idle();
    assert!(runtime.is_idle());
}

#[test]
fn free_functions_find_the_runtime() {
    runtime().block_on(async {
        assert_eq!(loom::spawn_compute(|| 6 * 7).await, 42);
        assert_eq!(loom::spawn_adaptive(|| 6 * 7).await, 42);
        assert_eq!(loom::spawn_adaptive_with_hint(ComputeHint::High, || 6 * 7).await, 42);
        assert_eq!(loom::try_spawn_compute(|| 6 * 7).await.ok(), Some(42));
        let current = loom::current_runtime().expect("within one");
        assert_eq!(current.spawn_compute(|| 6 * 7).await, 42);
        assert_eq!(current.spawn_async(async { 42 }).await.ok(), Some(42));
    });
}

#[test]
fn settings_come_from_files_environment_and_arguments() {
    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        loom: LoomArgs,
    }

    let folder = std::env::temp_dir().join(format!("loom-seeds-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    let file = folder.join("config.toml");
    let text = "prefix = \"filed\"\ntokio_threads = 1\nrayon_threads = 1\ncompute_pool_size = 64\n\
                pin_threads = true\n";
    std::fs::write(&file, text).expect("as above");
    let local = folder.join("config.local.toml");
    std::fs::write(&local, "rayon_threads = 2\npin_threads = false\n").expect("as above");
    let args = Args::try_parse_from(["test", "--loom-prefix", "argued"]).expect("they are right");
    let runtime = LoomBuilder::new()
        .file(&file)
        .file(&local)
        .env_prefix("LOOM_SEEDS")
        .with_cli_args(&args.loom)
        .build()
        .expect("the settings are right");
    let config = runtime.config();
    assert_eq!((&*config.prefix, config.pin), ("argued", loom::Pin::No));
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (1, 2));
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn every_method_of_the_builder_is_there() {
    let registry = Registry::new();
    let calibration = CalibrationConfig::new().enabled().sample_count(50);
    let runtime = LoomBuilder::new()
        .pin_threads(false)
        .compute_pool_size(128)
        .mab_knobs(MabKnobs::default().with_k_starve(0.2))
        .calibrate(true)
        .calibration_config(calibration)
        .prometheus_registry(registry.clone())
        .build()
        .expect("the settings are right");
    runtime.block_on(runtime.spawn_async(async {})).expect("no panic");
    let mut text = String::new();
    TextEncoder::new().encode_utf8(&registry.gather(), &mut text).expect("metrics are text");
    assert!(text.contains("loom_total_spawns"), "{text}");
    assert!(!runtime.effective_cpuset().is_empty());
    assert!(runtime.prometheus_metrics().total_spawns.get() >= 1);
}

#[test]
fn a_scope_borrows_and_leaves_what_it_borrowed() {
    let runtime = runtime();
    runtime.block_on(async {
        let (data, sum) = (vec![1, 2, 3, 4, 5, 6, 7, 8], AtomicI32::new(0));
        let (left, right) = data.split_at(data.len() / 2);
        let add = |part: &[i32]| {
            sum.fetch_add(part.iter().sum(), Ordering::Relaxed);
        };
        runtime
            .scope_compute(|_| {
                add(left);
                add(right);
            })
            .await;
        loom::scope_compute(|scope| {
            scope.spawn(|_| add(left));
            scope.spawn(|_| add(right));
        })
        .await;
        loom::scope_adaptive(|scope| {
            scope.spawn(|_| add(left));
            scope.spawn(|_| add(right));
        })
        .await;
        loom::scope_adaptive_with_hint(ComputeHint::Low, |scope| {
            for value in &data {
                let sum = &sum;
                scope.spawn(move |_| {
                    sum.fetch_add(*value, Ordering::Relaxed);
                });
            }
        })
        .await;
        assert_eq!((data.len(), sum.load(Ordering::Relaxed)), (8, 4 * 36));
    });
}

/// A helper with the one lifetime of the scope: it spawns work that borrows from outside of it.
fn add_halves<'scope>(scope: &Scope<'scope>, data: &'scope [i32], sum: &'scope AtomicI32) {
    let (left, right) = data.split_at(data.len() / 2);
    for part in [left, right] {
        scope.spawn(move |scope| add_all(scope, part, sum));
    }
}

/// As it is written for rayon.
fn add_one<'s>(scope: &rayon::Scope<'s>, sum: &'s AtomicI32) {
    scope.spawn(move |_| {
        sum.fetch_add(1, Ordering::Relaxed);
    });
}

fn add_all<'s>(scope: &Scope<'s>, part: &'s [i32], sum: &'s AtomicI32) {
    for value in part {
        scope.spawn(move |_| {
            sum.fetch_add(*value, Ordering::Relaxed);
        });
    }
}

#[test]
fn helpers_take_a_scope_of_one_lifetime() {
    let (data, sum) = (vec![1, 2, 3, 4, 5], AtomicI32::new(0));
    let runtime = runtime();
    runtime.block_on(runtime.scope_compute(|scope| add_halves(scope, &data, &sum)));
    assert_eq!(sum.load(Ordering::Relaxed), 15);
    runtime.block_on(runtime.scope_compute(|scope| add_one(scope, &sum)));
    assert_eq!(sum.load(Ordering::Relaxed), 16);
    let state = (vec![1, 2, 3], AtomicI32::new(0));
    let ((_, sum), ()) = runtime.block_on(
        runtime.scope_compute_with(state, |scope, (data, sum)| add_all(scope, data, sum)),
    );
    assert_eq!(sum.into_inner(), 6);
}

#[test]
fn streams_map_on_the_pool_in_order() {
    runtime().block_on(async {
        let doubled: Vec<_> = tokio_stream::iter(0..10).compute_map(|n| n * 2).collect().await;
        assert_eq!(doubled, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
        let words = tokio_stream::iter(["hello", "world"]);
        let loud: Vec<_> = words.compute_map(str::to_uppercase).collect().await;
        assert_eq!(loud, ["HELLO", "WORLD"]);
        let squares: Vec<_> = tokio_stream::iter(0..5).adaptive_map(|n| n * n).collect().await;
        assert_eq!(squares, [0, 1, 4, 9, 16]);
    });
}

#[test]
fn a_runtime_ends_when_its_work_has() {
    let runtime = runtime();
    runtime.block_on(async {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let work = runtime.spawn_async(receiver);
        drop(runtime.spawn_compute(|| ()));
        runtime.shutdown();
        assert!(!runtime.is_idle());
        drop(sender);
        runtime.wait_for_shutdown().await;
        assert!(work.await.is_ok() && runtime.is_idle());
        assert_eq!(runtime.compute_tasks_in_flight(), 0);
    });
}

#[test]
fn untracked_work_goes_straight_to_tokio_and_rayon() {
    let runtime = runtime();
    let task = runtime.tokio_handle().spawn(async { 42 });
    assert_eq!(runtime.block_on(task).ok(), Some(42));
    assert_eq!(runtime.rayon_pool().install(|| 42), 42);
    assert_eq!(runtime.tokio_runtime().block_on(async { 42 }), 42);
}

#[test]
fn parallel_iterators_work_within_compute() {
    let runtime = runtime();
    let inner = runtime.clone();
    let sum = runtime.spawn_compute(move || {
        inner.install(|| (0..100).into_par_iter().map(|n| n * 2).sum::<i32>())
    });
    assert_eq!(runtime.block_on(sum), 9900);
}

struct Message(Vec<u8>);

impl ComputeHintProvider for Message {
    fn compute_hint(&self) -> ComputeHint {
        match self.0.len() {
            0..=1024 => ComputeHint::Low,
            1025..=65536 => ComputeHint::Medium,
            _ => ComputeHint::High,
        }
    }
}

#[test]
fn items_hint_at_their_cost() {
    assert_eq!(Message(vec![0; 2000]).compute_hint(), ComputeHint::Medium);
    runtime().block_on(async {
        let messages =
            tokio_stream::iter([10, 2000, 70_000].map(|length| Message(vec![0; length])));
        let lengths: Vec<_> = messages
            .adaptive_map(|message| message.0.len())
            .hint_by(Message::compute_hint)
            .collect()
            .await;
        assert_eq!(lengths, [10, 2000, 70_000]);
    });
}

#[test]
fn keys_are_of_types_and_names() {
    struct Handler;
    assert_eq!(FunctionKey::from_type::<Handler>(), FunctionKey::from_type::<Handler>());
    assert_ne!(FunctionKey::from_type::<Handler>(), FunctionKey::from_type::<Message>());
    assert_eq!(FunctionKey::from_name("handler"), FunctionKey::from_name("handler"));
    assert_ne!(FunctionKey::from_type_name::<Handler>(), FunctionKey::from_type_name::<Message>());
}

#[test]
fn a_decision_by_hand_is_made_and_finished() {
    struct Handler;
    let runtime = runtime();
    let (scheduler, key) = (runtime.mab_scheduler(), FunctionKey::from_type::<Handler>());
    for _ in 0..100 {
        let (id, arm) = scheduler.choose(key, &runtime.collect_context());
        let started = Instant::now();
        let result = match arm {
            Arm::InlineTokio => 6 * 7,
            Arm::OffloadRayon => runtime.block_on(runtime.spawn_compute(|| 6 * 7)),
        };
        scheduler.finish(id, started.elapsed().as_secs_f64() * 1e6, Some(1.0));
        assert_eq!(result, 42);
    }
}

/// Idle workers and a free pool.
const CALM: Context = Context {
    tokio_workers: 2,
    inflight_tasks: 0,
    spawn_rate_per_s: 0.0,
    rayon_threads: 2,
    rayon_queue_depth: 0,
};

/// Of the last 100 of many decisions, how many were inline, with the time of the function on each
/// arm.
fn inline_share(inline_us: f64, offload_us: f64) -> usize {
    let (scheduler, key) = (MabScheduler::with_defaults(), FunctionKey::from_name("by hand"));
    let arms = (0..2000).map(|_| {
        let (id, arm) = scheduler.choose(key, &CALM);
        let us = if arm == Arm::InlineTokio { inline_us } else { offload_us };
        scheduler.finish(id, us, Some(us));
        arm
    });
    arms.skip(1900).filter(|arm| *arm == Arm::InlineTokio).count()
}

#[test]
fn decisions_by_hand_learn_both_arms() {
    assert!(inline_share(200.0, 5.0) <= 5);
    assert!(inline_share(5.0, 200.0) >= 95);
}

#[test]
fn decisions_by_hand_learn_hints_apart() {
    let (scheduler, key) = (MabScheduler::with_defaults(), FunctionKey::from_name("by hand"));
    let mut inline = [0, 0];
    for i in 0..2000 {
        let (hint, us) = [(ComputeHint::Low, 5.0), (ComputeHint::High, 5000.0)][i % 2];
        let (id, arm) = scheduler.choose_with_hint(key, &CALM, hint);
        scheduler.finish(id, us, Some(us));
        inline[i % 2] += usize::from(arm == Arm::InlineTokio);
    }
    assert!(inline[0] >= 950 && inline[1] <= 10, "{inline:?}");
}

#[test]
fn a_decision_by_hand_counts_once() {
    // The second report of each decision says the opposite of the first.
    let (scheduler, key) = (MabScheduler::with_defaults(), FunctionKey::from_name("by hand"));
    let mut open = Vec::<DecisionId>::new();
    let mut inline = 0;
    for _ in 0..2000 {
        let (id, arm) = scheduler.choose(key, &CALM);
        scheduler.finish(id, 5.0, Some(5.0));
        scheduler.finish(id, 5000.0, Some(5000.0));
        open.push(id);
        if let Some(before) = open.len().checked_sub(60).map(|at| open[at]) {
            scheduler.finish(before, 5000.0, Some(5000.0));
        }
        inline += usize::from(arm == Arm::InlineTokio);
    }
    assert!(inline >= 1900, "{inline}");
}
