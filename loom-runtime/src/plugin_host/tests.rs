//! Tests of what a plug-in can do to the counts of its host.

use std::env;
use std::process::Command;

use loom_abi::{Status, Work};

use crate::boundary::Host as _;
use crate::runtime::{LoomBuilder, LoomRuntime};
use crate::sync::thread;

use super::PluginHandle;

pub(super) fn runtime() -> LoomRuntime {
    let built = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build();
    built.expect("the system has threads")
}

/// Admitted work and compute calls of the runtime, whoever has begun them.
pub(super) fn counts(runtime: &LoomRuntime) -> (usize, usize) {
    (runtime.core().lifecycle.count(), runtime.core().in_flight())
}

/// Tasks, compute calls, ended calls and panics of one plug-in.
pub(super) fn counts_of(plugin: &PluginHandle) -> (usize, usize, u64, u64) {
    let stats = plugin.stats();
    (stats.tasks, stats.compute_calls, stats.computed, stats.panicked)
}

#[test]
fn a_plug_in_ends_no_more_than_it_has_begun_of_that_kind() {
    let runtime = runtime();
    let [one, other] = ["one", "other"].map(|name| runtime.plugin_handle(name));
    // Work of the program and of another plug-in, which nobody else may end.
    let waits = runtime.spawn_async(std::future::pending::<()>());
    assert_eq!(other.hosted.begin(Work::TASK), Status::DONE);
    assert_eq!(other.hosted.begin(Work::COMPUTE), Status::DONE);
    let hosted = &one.hosted;
    for work in [Work::TASK, Work::COMPUTE, Work(2), Work(u32::MAX)] {
        for how in [Status::DONE, Status::PANICKED, Status(77)] {
            assert_eq!(hosted.end(work, how), Status::REFUSED, "it has begun nothing");
        }
    }
    assert_eq!((counts(&runtime), counts_of(&one)), ((2, 1), (0, 0, 0, 0)));
    // Twice for one begin.
    for work in [Work::TASK, Work::COMPUTE] {
        assert_eq!(hosted.begin(work), Status::DONE);
        assert_eq!(hosted.end(work, Status::PANICKED), Status::DONE);
        assert_eq!(hosted.end(work, Status::PANICKED), Status::REFUSED);
    }
    assert_eq!((counts(&runtime), counts_of(&one)), ((2, 1), (0, 0, 1, 2)));
    // Of another kind, known or not.
    assert_eq!(hosted.begin(Work::TASK), Status::DONE);
    assert_eq!(hosted.end(Work::COMPUTE, Status::DONE), Status::REFUSED);
    assert_eq!(hosted.begin(Work(2)), Status::REFUSED);
    assert_eq!(hosted.end(Work(2), Status::DONE), Status::REFUSED);
    assert_eq!((counts(&runtime), counts_of(&one)), ((3, 1), (1, 0, 1, 2)));
    assert_eq!(hosted.end(Work::TASK, Status::DONE), Status::DONE);
    // A task that the host itself counts is not the plug-in's to end, either.
    assert_eq!((counts(&runtime), counts_of(&other)), ((2, 1), (1, 1, 0, 0)));
    other.hosted.end(Work::TASK, Status::DONE);
    other.hosted.end(Work::COMPUTE, Status::DONE);
    assert_eq!((counts(&runtime), counts_of(&other)), ((1, 0), (0, 0, 1, 0)));
    waits.abort();
}

/// Two plug-ins begin and end as they like, and a model counts along.
#[test]
fn plug_ins_that_begin_and_end_at_random_move_their_own_counts_alone() {
    let runtime = runtime();
    let plugins = ["one", "other"].map(|name| runtime.plugin_handle(name));
    let mut begun = [[0_usize; 2]; 2];
    let mut random = 1_u64;
    for step in 0..20_000 {
        // Knuth's generator; the upper bits are the random ones.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = random >> 33;
        let (plugin, work) = (usize::from(bits & 1 > 0), Work((bits >> 1 & 3) as u32));
        let hosted = &plugins[plugin].hosted;
        let count = begun[plugin].get_mut(work.0 as usize);
        let (did, expected) = if bits >> 3 & 1 > 0 {
            (hosted.begin(work), count.map(|count| *count += 1).is_some())
        } else {
            let how = Status((bits >> 4 & 15) as u32);
            let count = count.filter(|count| **count > 0);
            (hosted.end(work, how), count.map(|count| *count -= 1).is_some())
        };
        let expected = if expected { Status::DONE } else { Status::REFUSED };
        assert_eq!(did, expected, "step {step}: {work:?}");
        let [tasks, calls] = [0, 1].map(|work| begun[0][work] + begun[1][work]);
        assert_eq!(counts(&runtime), (tasks, calls), "step {step}");
        for (plugin, begun) in plugins.iter().zip(begun) {
            let (tasks, calls, ..) = counts_of(plugin);
            assert_eq!([tasks, calls], begun, "step {step}");
        }
    }
    for (plugin, begun) in plugins.iter().zip(begun) {
        for (work, count) in [Work::TASK, Work::COMPUTE].into_iter().zip(begun) {
            for _ in 0..count {
                assert_eq!(plugin.hosted.end(work, Status::DONE), Status::DONE);
            }
        }
    }
    assert_eq!(counts(&runtime), (0, 0));
}

#[test]
fn threads_that_end_twice_at_once_leave_the_counts_at_zero() {
    let runtime = runtime();
    let plugin = runtime.plugin_handle("twice");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2000 {
                    let work = if n % 2 == 0 { Work::TASK } else { Work::COMPUTE };
                    assert_eq!(plugin.hosted.begin(work), Status::DONE);
                    plugin.hosted.end(work, Status::DONE);
                    plugin.hosted.end(work, Status::DONE);
                }
            });
        }
    });
    // An end is refused only while nothing of its kind is left, so nothing is left now.
    assert_eq!((counts(&runtime), counts_of(&plugin)), ((0, 0), (0, 0, 4000, 0)));
}

#[test]
fn the_program_is_told_once_for_each_plug_in_that_ends_too_much() {
    const IS_TOLD: &str = "LOOM_PLUGIN_IS_TOLD";
    const NAME: &str = "the_program_is_told_once_for_each_plug_in_that_ends_too_much";
    if env::var_os(IS_TOLD).is_some() {
        let runtime = runtime();
        for name in ["one", "other"] {
            let plugin = runtime.plugin_handle(name);
            for _ in 0..3 {
                assert_eq!(plugin.hosted.end(Work::TASK, Status::DONE), Status::REFUSED);
            }
        }
        return;
    }
    // What is said goes past the capture of tests, so a process of its own says it.
    let program = env::current_exe().expect("the system knows it");
    let mut child = Command::new(program);
    let test = format!("plugin_host::tests::{NAME}");
    child.args(["--exact", &test, "--nocapture"]).env(IS_TOLD, "1");
    let output = child.output().expect("it is started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for name in ["one", "other"] {
        let line = format!("loom: plug-in `{name}` ends work that it has not begun");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
}
