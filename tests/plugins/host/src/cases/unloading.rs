//! Plug-ins that are taken away.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use loom::TokioFlavor;
use loom_abi::RuntimeHandle;

use super::{ask, builder, load_all, two_and_two, until};

/// Whether the process has a file mapped.
fn is_mapped(name: &str) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").expect("the system tells");
    maps.contains(&format!("lib{name}.so"))
}

/// Waits until the system has unmapped them: it looks for what is in use no longer when another
/// library goes.
fn are_unmapped(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    for name in names {
        until(|| {
            // SAFETY: it is an empty one.
            let none = unsafe { runtime.load_plugin(folder.join("libwrong_none.so")) };
            none.is_err() && !is_mapped(name)
        });
    }
}

fn keeps_nothing() {
    // SAFETY: nobody else is here yet.
    unsafe { std::env::set_var("PLUGIN_KEEPS_NOTHING", "1") };
}

/// What has begun is finished, then everything ends; unmapped once the workers have ended that
/// ran its tasks.
pub(super) fn unload(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        // On a thread of its own: what is left in its thread-locals goes with it.
        thread::scope(|scope| {
            scope.spawn(|| {
                ask(&plugin, "sleepers");
            });
        });
        let name = plugin.name().to_owned();
        // SAFETY: nothing of it is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
        let threads = thread_names();
        let prefix = format!("host-{name}");
        assert!(!threads.iter().any(|thread| thread.starts_with(&prefix)), "{threads:?}");
    }
    // The host goes on, and has forgotten them.
    assert!(runtime.plugins().is_empty());
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
    drop(runtime);
    are_unmapped(folder, names);
}

fn thread_names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("the system tells");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// Refused while something is in use, and done once it is not.
pub(super) fn unload_in_use(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "forever");
        // SAFETY: nothing of it is used unless it stays.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let refused = refused.expect_err("a task is running");
        assert!(refused.to_string().contains("1 tasks"), "{refused}");
        let plugin = refused.plugin;
        ask(&plugin, "results");
        ask(&plugin, "tell");
        until(|| plugin.stats().tasks == 0);
        ask(&plugin, "keep");
        // SAFETY: as above.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let refused = refused.expect_err("a handle is kept");
        assert!(refused.to_string().contains("handle"), "{refused}");
        let plugin = refused.plugin;
        ask(&plugin, "keep");
        // SAFETY: as above.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// One that did nothing goes at once, and nobody calls it any more.
pub(super) fn unload_unused(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        // SAFETY: nothing of it is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
    for name in names {
        assert!(!is_mapped(name), "nobody has anything of it");
    }
    drop(runtime);
}

/// Waits no longer than it is told, also for computation that the host has given up, and on no
/// thread that must not wait.
pub(super) fn unload_busy(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "spin");
        // SAFETY: nothing of it is used unless it stays.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let plugin = refused.expect_err("it computes").plugin;
        let left = runtime.clone().shutdown_timeout(Duration::from_millis(10));
        assert_eq!(left.compute_calls, 1, "{left}");
        // SAFETY: as above.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let refused = refused.expect_err("it computes still");
        assert!(refused.to_string().contains("still running"), "{refused}");
        let plugin = refused.plugin;
        ask(&plugin, "stop");
        // SAFETY: as above.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
    // A worker gives its other tasks away meanwhile; a thread that cannot is told.
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        let unloaded = runtime.block_on(runtime.spawn_async(async move {
            // SAFETY: as above.
            unsafe { plugin.unload(Duration::from_secs(30)) }.is_ok()
        }));
        assert_eq!(unloaded.ok(), Some(true));
    }
    let runtime = builder().tokio_flavor(TokioFlavor::CurrentThread).build();
    let runtime = runtime.expect("the system has threads");
    for plugin in load_all(&runtime, folder, names) {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let refused = runtime.block_on(runtime.spawn_async(async move {
            // SAFETY: as above.
            drop(unsafe { plugin.unload(Duration::from_secs(30)) });
        }));
        std::panic::set_hook(hook);
        assert!(refused.is_err_and(|error| error.is_panic()), "it must not wait");
    }
}

/// Handles that a plug-in got some other way are given back before it goes: neither their end nor
/// that of their runtime calls it.
pub(super) fn unload_twice_attached(folder: &Path, names: &[&str]) {
    type Attach = extern "C" fn(RuntimeHandle<'_>) -> u32;
    keeps_nothing();
    let (runtime, other) = (two_and_two(), two_and_two());
    for plugin in load_all(&runtime, folder, names) {
        let handle = other.plugin_handle("by hand");
        // SAFETY: that is what it exports.
        let attach: Attach = unsafe { plugin.symbol("plugin_attach") }.expect("it is exported");
        thread::scope(|scope| {
            // It is no wrong one, so it is attached.
            scope.spawn(|| assert_eq!(attach(handle.as_raw()), 1));
        });
        assert!(handle.stats().threads > 0, "{}", handle.stats());
        // SAFETY: nothing of it is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
        until(|| handle.stats().threads == 0);
        drop(handle);
    }
    other.shutdown_background();
    // Threads that it had of the other runtime may have been on their way out.
    are_unmapped(folder, names);
}

/// What nobody counted, a blocking function of tokio's own, keeps it from going while it runs.
pub(super) fn unload_blocked(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "block");
        // SAFETY: nothing of it is used unless it stays.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let refused = refused.expect_err("a function blocks");
        assert!(refused.to_string().contains("blocking functions"), "{refused}");
        let plugin = refused.plugin;
        // What is kept refuses in words, and starts nothing by itself.
        ask(&plugin, "refuses");
        ask(&plugin, "stop");
        // SAFETY: as above.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
}
