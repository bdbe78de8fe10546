//! Slow polls: what holds an I/O worker up is named, and nothing else.

use std::collections::BTreeSet;
use std::env;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::http::Request;
use axum::routing::get;
use loom::tower::SlowPollLayer;
use loom::{ComputePriority, LoomBuilder, LoomRuntime, SlowPoll};
use tokio::task::yield_now;
use tower::ServiceExt;

fn builder() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(2).rayon_threads(1).compute_priority(ComputePriority::Normal)
}

fn runtime() -> LoomRuntime {
    builder().build().expect("a runtime")
}

/// Holds the thread up for so many milliseconds without using its CPU, as a call that blocks.
fn block(ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        park_timeout(left);
    }
}

/// Computes for so many milliseconds of the thread's own time.
fn compute(ms: u64) {
    let mut use_of_thread = cpu_time();
    let until = use_of_thread + Duration::from_millis(ms);
    while use_of_thread < until {
        black_box((0..1000).fold(0_u32, |a, b| a.rotate_left(3) ^ b));
        use_of_thread = cpu_time();
    }
}

/// The CPU time of the calling thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "std reads no such clock")]
    // SAFETY: `time` is valid, and of the type that the call writes.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(read, 0);
    let nanos = u32::try_from(time.tv_nsec).expect("it is below a second");
    Duration::new(time.tv_sec.try_into().expect("it is positive"), nanos)
}

/// A service of twenty functions, of which every other one blocks for 2 to 50 ms.
async fn function(number: u64) {
    for _ in 0..4 {
        yield_now().await;
        match number {
            // It computes.
            1 | 5 | 9 | 13 | 17 => compute(1 + number),
            // It waits, as in a call that blocks.
            3 | 7 | 11 | 15 => block(2 + number),
            19 => compute(50),
            // A poll of a few microseconds.
            _ => drop(black_box((0..number).collect::<Vec<_>>())),
        }
    }
}

const NAMES: [&str; 20] = [
    "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14",
    "f15", "f16", "f17", "f18", "f19",
];

fn named(slow: &[SlowPoll]) -> BTreeSet<&str> {
    slow.iter().filter_map(|slow| slow.name).collect()
}

#[test]
fn ten_planted_blockers_are_named_and_none_of_the_others() {
    let runtime = runtime();
    runtime.block_on(async {
        // Twice: the second time the places are known.
        for _ in 0..2 {
            let calls = (0_u64..).zip(NAMES);
            let calls = calls.map(|(n, name)| tokio::spawn(loom::observe(name, function(n))));
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("no panic");
            }
        }
    });
    let slow = runtime.slow_polls();
    let planted: BTreeSet<_> = NAMES.into_iter().skip(1).step_by(2).collect();
    assert_eq!(named(&slow), planted);
    for SlowPoll { name, count, blocked, longest, times, .. } in &slow {
        let number: u64 = name.expect("all have names")[1..].parse().expect("a number");
        let waits = matches!(number, 3 | 7 | 11 | 15);
        assert_eq!((*count, *blocked), (8, if waits { 8 } else { 0 }), "{name:?}");
        assert!(*longest >= Duration::from_millis(1 + number).min(Duration::from_millis(50)));
        assert_eq!(times.count(), 8);
    }
    assert_eq!(named(&slow[..1]), ["f19"].into(), "the dearest first");
}

#[test]
fn a_rare_slow_poll_is_found_after_the_first_ones() {
    let runtime = runtime();
    let task = async {
        // More polls than are timed at first.
        for _ in 0..100 {
            yield_now().await;
        }
        // One poll in eight is looked at. One that takes twice as long as the coarse clock stands still, which
        // may be 10 ms, is noticed, and the next slow one is timed, although quick ones are between them.
        for _ in 0..100 {
            compute(25);
            for _ in 0..8 {
                yield_now().await;
            }
            if !loom::slow_polls().is_empty() {
                break;
            }
        }
    };
    runtime.block_on(loom::observe("rare", task));
    let slow = runtime.slow_polls();
    assert_eq!((slow[0].name, slow[0].count), (Some("rare"), 1));
}

#[test]
fn tasks_are_named_by_the_line_that_spawns_them() {
    let runtime = LoomBuilder::new()
        .tokio_threads(1)
        .rayon_threads(1)
        .local_cores(1)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a runtime");
    let line = line!() + 1;
    let task = runtime.spawn_async(async { compute(3) });
    runtime.block_on(task).expect("no panic");
    let core = runtime.local(0);
    let task = core.spawn_with(|| async { compute(2) });
    runtime.block_on(task).expect("no panic");
    let slow = runtime.slow_polls();
    let place = |slow: &SlowPoll| slow.location.map(|at| (at.file(), at.line()));
    let lines: Vec<_> = slow.iter().filter_map(place).collect();
    assert_eq!(lines, [(file!(), line), (file!(), line + 3)]);
    assert_eq!(slow[0].to_string(), format!("the task of {}:{line}", file!()));
    assert_eq!(slow[0].name, None);
}

#[loom::compute(mode = "inline")]
fn annotated() {
    compute(10);
}

#[loom::compute(mode = "offload")]
async fn on_the_pool() {
    loom::observe("on the pool", async { compute(10) }).await;
}

#[test]
fn whoever_is_named_elsewhere_is_not_named_here() {
    let runtime = runtime();
    runtime.block_on(async {
        let inner = loom::observe("inner", async { compute(10) });
        let whole = async {
            annotated().await;
            inner.await;
            on_the_pool().await;
            loom::block_in_place(|| compute(10));
        };
        tokio::spawn(loom::observe("outer", whole)).await.expect("no panic");
    });
    assert_eq!(named(&runtime.slow_polls()), ["inner"].into());
}

#[loom::compute(mode = "inline")]
fn waits_in_place() {
    loom::block_in_place(|| block(20));
}

/// What one call is told of twice must not hide what the poll itself takes, nor change what is said of it.
#[test]
fn what_is_named_elsewhere_hides_nothing() {
    let runtime = runtime();
    runtime.block_on(async {
        let whole = async {
            waits_in_place().await;
            compute(15);
        };
        tokio::spawn(loom::observe("outer", whole)).await.expect("no panic");
    });
    let slow = runtime.slow_polls();
    assert_eq!(named(&slow), ["outer"].into());
    // Whether it is told to block depends on neighbours: this poll has waited once.
    assert_eq!(slow[0].count, 1);
    assert!(slow[0].longest >= Duration::from_millis(15));
}

#[test]
fn the_limit_is_a_setting_and_may_be_off() {
    let polls = |builder: LoomBuilder| {
        let runtime = builder.build().expect("a runtime");
        runtime.block_on(loom::observe("slow", async { compute(20) }));
        runtime.slow_polls().len()
    };
    assert_eq!(polls(builder()), 1);
    assert_eq!(polls(builder().slow_poll(Duration::from_secs(60))), 0);
    assert_eq!(polls(builder().slow_poll(None)), 0);
}

#[test]
fn runtimes_count_for_themselves_at_one_place() {
    async fn polls(times: usize, ms: u64) {
        for _ in 0..times {
            compute(ms);
            yield_now().await;
        }
    }
    let run = |runtime: &LoomRuntime, times, ms| {
        runtime.block_on(loom::observe("shared", polls(times, ms)));
    };
    let [off, first, second] = [builder().slow_poll(None), builder(), builder()]
        .map(|builder| builder.build().expect("a runtime"));
    // It leaves the first polls, which are timed, to those that watch.
    run(&off, 100, 0);
    run(&first, 3, 5);
    run(&second, 2, 5);
    let counts = [&off, &first, &second].map(|runtime| {
        let slow = runtime.slow_polls();
        slow.iter().map(|slow| slow.count).sum::<u64>()
    });
    assert_eq!(counts, [0, 3, 2]);
}

#[loom::main(slow_poll = "off", tokio_threads = 1, rayon_threads = 1)]
async fn unwatched() {
    loom::observe("slow", async { compute(20) }).await;
    assert!(loom::slow_polls().is_empty());
}

#[test]
fn the_attribute_watches_no_polls_where_it_says_so() {
    unwatched();
}

#[tokio::test]
async fn a_program_without_a_runtime_of_looms_observes() {
    // The other tests have runtimes of their own.
    loom::observe("alone", async { compute(5) }).await;
    assert_eq!(named(&loom::slow_polls()), ["alone"].into());
}

#[test]
fn a_panic_and_a_drop_pass_through() {
    let runtime = runtime();
    let observed = loom::observe("panics", async { panic!("as planned") });
    let raised = runtime.block_on(async { tokio::spawn(observed).await });
    assert!(raised.is_err_and(|error| error.is_panic()));
    let guard = std::sync::Arc::new(());
    let held = std::sync::Arc::clone(&guard);
    drop(loom::observe("dropped", async move { drop(held) }));
    assert_eq!(std::sync::Arc::strong_count(&guard), 1);
    assert!(runtime.slow_polls().is_empty());
}

const ALONE: &str = "LOOM_TEST_ALONE";

/// Runs one test of this program as a process of its own, and returns what it printed on standard error.
fn alone(test: &str) -> String {
    let program = env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture"]).env(ALONE, "").stdout(Stdio::null());
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Does nothing in an ordinary run: [`a_line_at_first_sight`] starts it in a process of its own.
#[test]
fn prints() {
    if env::var_os(ALONE).is_none() {
        return;
    }
    let runtime = runtime();
    let slow = |name, poll: fn()| {
        let twice = async move {
            for _ in 0..2 {
                poll();
                yield_now().await;
            }
        };
        runtime.block_on(async { tokio::spawn(loom::observe(name, twice)).await })
    };
    slow("computes", || compute(5)).expect("no panic");
    slow("blocks", || block(20)).expect("no panic");
    let many: Vec<_> = (0..25).map(|n| &*format!("many {n}").leak()).collect();
    for name in many {
        slow(name, || compute(2)).expect("no panic");
    }
}

#[test]
fn a_line_at_first_sight() {
    let printed = alone("prints");
    let lines: Vec<_> = printed.lines().filter(|line| line.starts_with("loom: ")).collect();
    assert_eq!(lines.len(), 20, "no more lines: {printed}");
    let place = |line: &str| {
        let (name, rest) = line.split_once(" (tests/slow_polls.rs:").expect("it has a place");
        let (_, rest) = rest.split_once(") held an I/O worker for ").expect("it has a thread");
        (name.to_owned(), rest.split_once(['s']).expect("it has a time").1.to_owned())
    };
    let computes = ": annotate what it calls with `#[loom::compute]`";
    assert_eq!(place(lines[0]), ("loom: `computes`".to_owned(), computes.to_owned()));
    let blocks = ", most of it without a CPU: move what blocks to `loom::spawn_blocking`";
    assert_eq!(place(lines[1]), ("loom: `blocks`".to_owned(), blocks.to_owned()));
    assert!(
        lines[19]
            .ends_with("`loom::slow_polls()` lists it and all others, and no more are printed")
    );
}

#[test]
fn requests_are_named_by_method_and_path_or_by_their_route() {
    let ok = || async {
        compute(3);
        "ok"
    };
    let matched = |request: &axum::extract::Request| {
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        format!("{} {path}", request.method())
    };
    let router = Router::new()
        .route("/paths/{n}", get(ok))
        .layer(SlowPollLayer::new())
        .merge(Router::new().route("/routes/{n}", get(ok)).layer(SlowPollLayer::named_by(matched)))
        .route("/named", get(ok).layer(SlowPollLayer::named("the third")))
        .route("/quick", get(async || "ok").layer(SlowPollLayer::new()));
    let runtime = runtime();
    runtime.block_on(async {
        for path in ["/paths/1", "/paths/2?a=b", "/routes/1", "/routes/2", "/named", "/quick"] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let answer = tokio::spawn(router.clone().oneshot(request)).await.expect("no panic");
            assert_eq!(answer.expect("it does not fail").status(), 200);
        }
    });
    let slow = runtime.slow_polls();
    let expected = ["GET /paths/1", "GET /paths/2", "GET /routes/{n}", "the third"];
    assert_eq!(named(&slow), expected.into());
    let of_route = slow.iter().find(|slow| slow.name == Some("GET /routes/{n}"));
    assert_eq!(of_route.map(|slow| slow.count), Some(2));
}

#[test]
fn metrics_have_the_places() {
    let registry = prometheus::Registry::new();
    let runtime = builder().prometheus_registry(registry.clone()).build().expect("a runtime");
    runtime.block_on(loom::observe("counted", async { compute(5) }));
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
    let place = "place=\"`counted` (tests/slow_polls.rs:";
    let has = |name: &str| text.lines().any(|line| line.starts_with(&format!("{name}{{{place}")));
    assert!(has("loom_slow_poll_seconds_count") && has("loom_slow_poll_longest_seconds"), "{text}");
}
