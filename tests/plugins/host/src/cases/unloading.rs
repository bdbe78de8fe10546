//! The unloading of plug-ins.

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

/// Waits until the system has unmapped the libraries. It looks for unused libraries whenever
/// another library is closed.
fn are_unmapped(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    for name in names {
        until(|| {
            // SAFETY: the library is empty.
            let none = unsafe { runtime.load_plugin(folder.join("libwrong_none.so")) };
            none.is_err() && !is_mapped(name)
        });
    }
}

/// The plug-ins keep no handle, so they can be detached.
pub(super) fn keeps_nothing() {
    // SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("PLUGIN_KEEPS_NOTHING", "1") };
}

/// Begun work is finished, then the plug-in ends. It is unmapped once the workers that ran its
/// tasks have ended.
pub(super) fn unload(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        // On a separate thread, whose end drops the plug-in's thread-locals.
        thread::scope(|scope| {
            scope.spawn(|| {
                ask(&plugin, "sleepers");
            });
        });
        let name = plugin.name().to_owned();
        // SAFETY: nothing of the plug-in is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
        let threads = thread_names();
        let prefix = format!("host-{name}");
        assert!(!threads.iter().any(|thread| thread.starts_with(&prefix)), "{threads:?}");
    }
    // The host goes on and no longer lists the plug-ins.
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

/// Unloading is refused while something of the plug-in is in use, and succeeds afterwards.
pub(super) fn unload_in_use(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "forever");
        // SAFETY: nothing of the plug-in is used unless it stays loaded.
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

/// A plug-in that did nothing is unmapped at once, and is not called any more.
pub(super) fn unload_unused(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        // SAFETY: nothing of the plug-in is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
    for name in names {
        assert!(!is_mapped(name), "nobody has anything of it");
    }
    drop(runtime);
}

/// A library that was loaded three times is unloaded on three threads at once.
pub(super) fn unload_at_once(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for name in names {
        let plugins = load_all(&runtime, folder, &[*name; 3]);
        thread::scope(|scope| {
            scope.spawn(|| plugins.iter().for_each(|plugin| ask(plugin, "results")));
        });
        thread::scope(|scope| {
            for plugin in plugins {
                scope.spawn(|| {
                    // SAFETY: nothing of the plug-in is used from now on.
                    let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
                    unloaded.unwrap_or_else(|error| panic!("{error}"));
                });
            }
        });
    }
    assert!(runtime.plugins().is_empty());
    drop(runtime);
    are_unmapped(folder, names);
}

/// Unloading waits no longer than its limit, also for computation that the host has abandoned,
/// and refuses on a thread that must not wait.
pub(super) fn unload_busy(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "spin");
        // SAFETY: nothing of the plug-in is used unless it stays loaded.
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
    // A worker hands its other tasks over while it waits. On a thread that cannot do so, unloading
    // panics.
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

/// Handles that a plug-in got from another runtime are returned before it is unloaded: neither
/// the end of the handle nor the end of that runtime calls the plug-in.
pub(super) fn unload_twice_attached(folder: &Path, names: &[&str]) {
    type Attach = extern "C" fn(RuntimeHandle<'_>) -> u32;
    keeps_nothing();
    let (runtime, other) = (two_and_two(), two_and_two());
    for plugin in load_all(&runtime, folder, names) {
        let handle = other.plugin_handle("by hand");
        // SAFETY: the plug-in exports this function with this type.
        let attach: Attach = unsafe { plugin.symbol("plugin_attach") }.expect("it is exported");
        thread::scope(|scope| {
            // The handle is valid, so the library is attached, and the case returns 1.
            scope.spawn(|| assert_eq!(attach(handle.as_raw()), 1));
        });
        assert!(handle.stats().threads > 0, "{}", handle.stats());
        // SAFETY: nothing of the plug-in is used from now on.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
        until(|| handle.stats().threads == 0);
        drop(handle);
    }
    other.shutdown_background();
    // Its threads of the other runtime may still be ending.
    are_unmapped(folder, names);
}

/// A blocking function of tokio, which Loom does not count, prevents unloading while it runs.
pub(super) fn unload_blocked(folder: &Path, names: &[&str]) {
    keeps_nothing();
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        ask(&plugin, "block");
        // SAFETY: nothing of the plug-in is used unless it stays loaded.
        let refused = unsafe { plugin.unload(Duration::from_millis(10)) };
        let refused = refused.expect_err("a function blocks");
        assert!(refused.to_string().contains("blocking functions"), "{refused}");
        let plugin = refused.plugin;
        // The plug-in that stays refuses calls with an error text, and starts nothing by itself.
        ask(&plugin, "refuses");
        ask(&plugin, "stop");
        // SAFETY: as above.
        let unloaded = unsafe { plugin.unload(Duration::from_secs(30)) };
        unloaded.unwrap_or_else(|error| panic!("{error}"));
    }
}
