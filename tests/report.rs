//! The report: what it says, and what it recommends on what evidence.

use std::fs;
use std::hint::black_box;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use loom::{ComputePriority, LoomBuilder, LoomRuntime, Mode, Recommendation};

fn builder() -> LoomBuilder {
    LoomBuilder::new()
        .prefix("shop")
        .tokio_threads(2)
        .rayon_threads(1)
        .compute_priority(ComputePriority::Normal)
}

fn runtime() -> LoomRuntime {
    builder().build().expect("a runtime")
}

/// The CPU time of the calling thread, as the scheduler has added it up.
fn cpu_time() -> Duration {
    let line = fs::read_to_string("/proc/thread-self/schedstat").expect("the system counts");
    let nanos = line.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// Computes for so many milliseconds of the thread's own time.
fn spin(ms: u64) {
    let until = cpu_time() + Duration::from_millis(ms);
    while cpu_time() < until {
        black_box((0..1000_u32).sum::<u32>());
    }
}

/// Holds the thread up for so many milliseconds without using its CPU, as a call that blocks.
fn block(ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        park_timeout(left);
    }
}

#[loom::compute(mode = "inline")]
fn kept_inline() {
    spin(20);
}

#[loom::compute(mode = "observe", hint = "high")]
fn observing() {
    spin(20);
}

#[loom::compute(mode = "offload")]
fn sent_away(n: u64) -> u64 {
    n
}

#[loom::compute(hint = "high")]
fn adaptive() {
    spin(3);
}

/// The recommendation about something, and the rest of it.
fn about<'a>(all: &'a [Recommendation], what: &str) -> Option<&'a Recommendation> {
    all.iter().find(|it| it.what.contains(what))
}

#[test]
fn a_program_that_does_all_right_is_told_so() {
    let runtime = runtime();
    runtime.block_on(adaptive());
    let report = runtime.report();
    assert_eq!(report.recommendations, []);
    let text = report.to_string();
    let mut lines = text.lines();
    assert!(
        lines.next().is_some_and(|line| line.starts_with("Loom's report on `shop`, ")),
        "{text}"
    );
    assert!(
        lines.next().is_some_and(|line| line.starts_with("2 I/O workers, 1 compute thread;")),
        "{text}"
    );
    for expected in [
        "  report::adaptive: ",
        "No poll of a task, observed future or request was seen to take 1ms.",
        "Nothing was shed, refused, given up or starved.",
        "There is nothing to recommend.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_runtime_that_has_done_nothing_says_so() {
    let text = builder().slow_poll(None).build().expect("a runtime").report().to_string();
    assert!(text.contains("No compute function was called."), "{text}");
    assert!(text.contains("Polls are not watched (`slow_poll` is off)."), "{text}");
}

#[test]
fn a_slow_poll_is_to_be_annotated_or_moved() {
    let runtime = runtime();
    runtime.block_on(async {
        loom::observe("resize", async { spin(30) }).await;
        loom::observe("read", async { block(20) }).await;
    });
    let report = runtime.report();
    assert_eq!(report.slow_polls.len(), 2);
    let resize = about(&report.recommendations, "`resize`").expect("it computes");
    assert!(resize.what.starts_with("annotate what computes: "), "{resize:?}");
    assert!(resize.evidence.starts_with("1 poll above 1ms, "), "{resize:?}");
    assert_eq!(resize.write, "#[loom::compute(hint = \"high\")]");
    let read = about(&report.recommendations, "`read`").expect("it blocks");
    assert!(read.what.starts_with("move what blocks to a thread that may wait: "), "{read:?}");
    assert!(read.evidence.ends_with("; 1 of them waited for most of it"), "{read:?}");
    assert_eq!(read.write, "loom::spawn_blocking(move || …).await");
    let text = report.to_string();
    assert!(text.contains("\nPolls that held their thread for longer than 1ms:\n"), "{text}");
    assert!(text.contains("\nRecommended:\n1. "), "{text}");
}

#[test]
fn a_mode_that_measurements_speak_against_is_told() {
    let runtime = runtime();
    runtime.block_on(async {
        for _ in 0..10 {
            kept_inline().await;
            observing().await;
        }
        for n in 0..200 {
            assert_eq!(sent_away(n).await, n);
        }
    });
    let report = runtime.report();
    let all = &report.recommendations;
    let kept = about(all, "`report::kept_inline`").expect("it holds its worker up");
    assert!(
        kept.evidence.starts_with("10 calls ran inline so far, and its mode keeps it there; "),
        "{kept:?}"
    );
    assert_eq!(kept.write, "#[loom::compute]");
    let observing = about(all, "`report::observing`").expect("it would be offloaded");
    assert_eq!(observing.evidence, "it observes: 10 of 10 calls would have been offloaded");
    // How long the way takes is the machine's matter.
    let times = |name| report.functions.iter().find(|it| it.name == name).map(|it| &it.run_times);
    let usual = times("report::sent_away").and_then(|times| times.quantile(0.5));
    let is_short = usual.is_some_and(|usual| usual * 2 < report.bridge_overhead);
    let sent = about(all, "`report::sent_away`");
    assert_eq!(sent.is_some(), is_short, "{all:?}");
    let evidence = "200 calls were offloaded by its mode; half of them took ";
    assert!(sent.is_none_or(|sent| sent.evidence.starts_with(evidence)), "{sent:?}");
    // The dearest come first.
    let names: Vec<_> = report.functions.iter().map(|function| function.name).collect();
    assert_eq!(names.last(), Some(&"report::sent_away"));
}

#[test]
fn an_override_is_taken_back_where_it_was_made() {
    let runtime = runtime();
    runtime.override_function("report::adaptive", Mode::Inline);
    runtime.block_on(async {
        for _ in 0..10 {
            adaptive().await;
        }
    });
    let report = runtime.report();
    let told = about(&report.recommendations, "`report::adaptive`").expect("it takes 3 ms");
    assert_eq!(told.write, "LOOM_FUNCTIONS='report::adaptive=adaptive'");
}

#[test]
fn a_lone_slow_poll_of_a_long_run_is_no_reason_for_a_change() {
    let runtime = runtime();
    runtime.block_on(async {
        loom::observe("at the start", async { spin(5) }).await;
        let mut beats = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..150 {
            adaptive().await;
            beats.tick().await;
        }
    });
    let report = runtime.report();
    assert_eq!(report.slow_polls.len(), 1);
    assert_eq!(report.recommendations, []);
}

#[test]
fn there_are_at_most_five() {
    let runtime = runtime();
    runtime.block_on(async {
        for name in ["a", "b", "c", "d", "e", "f"] {
            let often = async {
                for _ in 0..12 {
                    spin(2);
                    tokio::task::yield_now().await;
                }
            };
            loom::observe(name, often).await;
        }
        for _ in 0..10 {
            kept_inline().await;
            observing().await;
        }
    });
    assert_eq!(runtime.report().recommendations.len(), 5);
}
