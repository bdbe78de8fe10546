//! What is counted, and what remains after a long time.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use loom::plugin::host::live;
use loom_abi::Report;

use super::{ask, builder, is_left_clean, load_all, two_and_two, until};

/// A plug-in's work is counted under its name.
pub(super) fn metrics(folder: &Path, names: &[&str]) {
    let registry = prometheus::Registry::new();
    let runtime = builder().rayon_threads(2).prometheus_registry(registry.clone()).build();
    let runtime = runtime.expect("the system has threads");
    for plugin in load_all(&runtime, folder, names) {
        let before = plugin.stats();
        assert_eq!((before.name.as_str(), before.tasks), (plugin.name(), 0));
        ask(&plugin, "results");
        ask(&plugin, "panics");
        is_left_clean(&plugin);
        let stats = plugin.stats();
        assert!(stats.spawned > 40 && stats.computed > 40 && stats.panicked >= 80, "{stats}");
        assert!(stats.threads >= 2, "{stats}");
        assert_eq!(runtime.plugins(), [stats.clone()]);
        let families = registry.gather();
        let of = |family: &str| {
            let family = families.iter().find(|one| one.name() == family);
            let metric = &family.expect("it is exported").get_metric()[0];
            assert_eq!(metric.get_label()[0].value(), plugin.name());
            metric.get_counter().get_value().max(metric.get_gauge().get_value())
        };
        assert_eq!(of("host_plugin_tasks"), 0.0);
        assert_eq!(of("host_plugin_spawned_total"), stats.spawned as f64);
        assert_eq!(of("host_plugin_compute_run_total"), stats.computed as f64);
        assert_eq!(of("host_plugin_panics_total"), stats.panicked as f64);
    }
}

/// Resident memory, in pages.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("the system tells");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    resident.expect("it is the second number")
}

/// A million wakes, each by a clone that is made and dropped, leave nothing behind. A leak of 16
/// bytes each would be 4000 pages.
pub(super) fn wakes(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "wakes");
        is_left_clean(&plugin);
        let before = resident();
        ask(&plugin, "wakes");
        is_left_clean(&plugin);
        let grown = resident().saturating_sub(before);
        assert!(grown < 500, "{grown} pages");
        until(|| live() == Report::default());
    }
}

/// How often threads of this process were given a CPU.
fn turns() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("the system tells");
    let turns = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(2)?.parse::<u64>().ok()
    });
    turns.sum()
}

/// While a plug-in's task waits, the plug-in's threads and the host's threads sleep.
pub(super) fn idle(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "idle");
        // A thread that has just had work searches for more for a while. After that, only the
        // keepers and this thread get a CPU.
        let quiet = (0..50).any(|_| {
            let before = turns();
            thread::park_timeout(Duration::from_millis(200));
            turns() - before <= 12
        });
        assert!(quiet, "threads that have nothing to do are busy");
        ask(&plugin, "idle_polls");
        is_left_clean(&plugin);
    }
}
