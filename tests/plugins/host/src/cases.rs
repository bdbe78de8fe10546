//! The cases: what the host does, and which cases of the plug-ins it runs.

mod long;
mod unloading;
mod waiting;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use loom::plugin::host::{LoadError, Plugin, live};
use loom::{LoomBuilder, LoomRuntime, Pin, TokioFlavor};
use loom_abi::{Bytes, Header, Lack, Report, Runtime, RuntimeHandle, Table};

pub struct Case {
    pub name: &'static str,
    /// The plug-ins that it runs with.
    pub plugins: &'static [&'static str],
    /// Whether it unmaps libraries.
    pub unmaps: bool,
    run: fn(&Path, &[&str]),
}

const EITHER: &[&str] = &["first", "second"];
const EACH: &[&str] = &["first", "second", "first,second"];

const fn case(
    name: &'static str,
    plugins: &'static [&'static str],
    run: fn(&Path, &[&str]),
) -> Case {
    Case { name, plugins, unmaps: false, run }
}

pub const CASES: &[Case] = &[
    case("results", EACH, |folder, plugins| asks(folder, plugins, &["results", "free"])),
    case("handles", EITHER, |folder, plugins| asks(folder, plugins, &["handles"])),
    case("threads", EITHER, |folder, plugins| asks(folder, plugins, &["threads"])),
    case("timers", EITHER, |folder, plugins| asks(folder, plugins, &["timers"])),
    case("sockets", EITHER, |folder, plugins| asks(folder, plugins, &["sockets"])),
    case("files", EITHER, |folder, plugins| asks(folder, plugins, &["files"])),
    case("processes", EITHER, |folder, plugins| asks(folder, plugins, &["processes"])),
    case("signals", EITHER, |folder, plugins| asks(folder, plugins, &["signals"])),
    case("tasks", EITHER, |folder, plugins| asks(folder, plugins, &["tasks", "contexts"])),
    case("budget", EITHER, |folder, plugins| asks(folder, plugins, &["budget", "within"])),
    case("nested", EACH, |folder, plugins| asks(folder, plugins, &["nested"])),
    case("panics", EACH, |folder, plugins| asks(folder, plugins, &["panics", "results"])),
    case("abort", EITHER, |folder, plugins| asks(folder, plugins, &["abort"])),
    case("same", EITHER, |folder, plugins| asks(folder, plugins, &["same"])),
    case("elsewhere", EITHER, |folder, plugins| asks(folder, plugins, &["elsewhere"])),
    case("two_at_once", &["first,second"], two_at_once),
    case("nested_join", EITHER, nested_join),
    case("re_entry", EITHER, re_entry),
    case("current_thread", EITHER, current_thread),
    case("fairness", EITHER, fairness),
    case("pending", EACH, pending),
    case("draining", EACH, draining),
    case("awaited", EITHER, awaited),
    case("no_late_threads", EITHER, waiting::no_late_threads),
    case("wrong_ends", EITHER, wrong_ends),
    case("wrong_hosts", EITHER, wrong_hosts),
    case("wrong_starts", EITHER, wrong_starts),
    case("wrong_plugins", &["first"], wrong_plugins),
    Case { unmaps: true, ..case("unload", EACH, unloading::unload) },
    Case { unmaps: true, ..case("unload_unused", EACH, unloading::unload_unused) },
    Case { unmaps: true, ..case("unload_at_once", EITHER, unloading::unload_at_once) },
    Case { unmaps: true, ..case("unload_busy", EITHER, unloading::unload_busy) },
    Case { unmaps: true, ..case("unload_two", EITHER, unloading::unload_twice_attached) },
    Case { unmaps: true, ..case("unload_blocked", EITHER, unloading::unload_blocked) },
    Case { unmaps: true, ..case("unload_in_use", EITHER, unloading::unload_in_use) },
    case("metrics", EITHER, long::metrics),
    case("wakes", EITHER, long::wakes),
    case("idle", EITHER, long::idle),
];

pub fn run(folder: &Path, name: &str, plugins: &str) -> ExitCode {
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        eprintln!("there is no case `{name}`");
        return ExitCode::from(2);
    };
    let plugins: Vec<&str> = plugins.split(',').collect();
    (case.run)(folder, &plugins);
    // Every object that crossed the boundary has been returned.
    until(|| live() == Report::default());
    ExitCode::SUCCESS
}

/// Waits until other threads make the condition true; the supervisor ends a case that hangs.
fn until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

fn builder() -> LoomBuilder {
    LoomBuilder::new().prefix("host").pin(Pin::No)
}

fn two_and_two() -> LoomRuntime {
    builder().tokio_threads(2).rayon_threads(2).build().expect("the system has threads")
}

fn load(runtime: &LoomRuntime, folder: &Path, name: &str) -> Plugin {
    let path = folder.join(format!("lib{name}.so"));
    // SAFETY: the library was built for these tests.
    let loaded = unsafe { runtime.load_plugin(path) };
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

fn load_all(runtime: &LoomRuntime, folder: &Path, names: &[&str]) -> Vec<Plugin> {
    names.iter().map(|name| load(runtime, folder, name)).collect()
}

/// Has a plug-in run one of its cases on this thread.
#[track_caller]
fn ask(plugin: &Plugin, case: &str) {
    type Run = extern "C" fn(Bytes) -> u32;
    // SAFETY: the plug-in exports this function with this type.
    let run: Run = unsafe { plugin.symbol("plugin_case") }.expect("it is exported");
    let status = run(Bytes { data: case.as_ptr(), len: case.len() });
    assert_eq!(status, 0, "case `{case}` of `{}`", plugin.name());
}

/// Waits until the host holds nothing of a plug-in, and the plug-in nothing of the host.
fn is_left_clean(plugin: &Plugin) {
    until(|| plugin.live() == Report::default());
    until(|| plugin.stats().tasks == 0 && plugin.stats().compute_calls == 0);
}

/// Runs cases of each plug-in in turn, and ends the runtime.
fn asks(folder: &Path, names: &[&str], cases: &[&str]) {
    let runtime = two_and_two();
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        for case in cases {
            ask(plugin, case);
        }
        is_left_clean(plugin);
    }
    let left = runtime.shutdown_timeout(Duration::from_secs(10));
    assert!(left.is_nothing(), "{left}");
    for plugin in &plugins {
        ask(plugin, "refused");
        ask(plugin, "live");
    }
}

fn two_at_once(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    let plugins = load_all(&runtime, folder, names);
    thread::scope(|scope| {
        for plugin in &plugins {
            scope.spawn(|| {
                for case in ["mixture", "free", "nested", "join", "tasks"] {
                    ask(plugin, case);
                }
            });
        }
        runtime.block_on(async {
            for n in 0..100_u64 {
                assert_eq!(runtime.spawn_compute(move || n).await, n);
            }
        });
    });
    for plugin in &plugins {
        is_left_clean(plugin);
    }
    assert!(runtime.shutdown_timeout(Duration::from_secs(10)).is_nothing());
}

/// Nested joins on a pool of one thread, from every kind of thread.
fn nested_join(folder: &Path, names: &[&str]) {
    let runtime = builder().tokio_threads(1).rayon_threads(1).build().expect("threads");
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        ask(plugin, "join");
        is_left_clean(plugin);
    }
    // On the host's only compute thread.
    runtime.install(|| plugins.iter().for_each(|plugin| ask(plugin, "join_there")));
}

/// Waiting is refused where it would deadlock: one worker, a current-thread runtime, compute
/// threads.
fn re_entry(folder: &Path, names: &[&str]) {
    let runtime = builder().tokio_threads(1).rayon_threads(1).build().expect("threads");
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        at_once(|| ask(plugin, "worker"));
        at_once(|| ask(plugin, "compute"));
        at_once(|| runtime.block_on(async { ask(plugin, "here") }));
        at_once(|| runtime.install(|| ask(plugin, "here")));
        thread::scope(|scope| {
            scope.spawn(|| at_once(|| runtime.block_on(async { ask(plugin, "here") })));
        });
        is_left_clean(plugin);
    }
}

/// Ends within a second in at least one of ten tries; a call that hangs never does.
#[track_caller]
fn at_once(f: impl Fn()) {
    let within_a_second = || {
        let started = Instant::now();
        f();
        started.elapsed().as_secs() < 1
    };
    assert!((0..10).any(|_| within_a_second()), "it takes longer than a second");
}

fn current_thread(folder: &Path, names: &[&str]) {
    let runtime = builder().tokio_flavor(TokioFlavor::CurrentThread).rayon_threads(1).build();
    let runtime = runtime.expect("the system has threads");
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        ask(plugin, "results");
        ask(plugin, "worker");
        ask(plugin, "timers");
        at_once(|| runtime.block_on(async { ask(plugin, "here") }));
        is_left_clean(plugin);
    }
}

/// A plug-in's task that always finds something ready still lets the host's tasks run on the only
/// worker.
fn fairness(folder: &Path, names: &[&str]) {
    static TURNS: AtomicU32 = AtomicU32::new(0);
    let runtime = builder().tokio_threads(1).rayon_threads(1).build().expect("threads");
    let plugins = load_all(&runtime, folder, names);
    let turns = runtime.spawn_async(std::future::poll_fn(|cx| {
        TURNS.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    }));
    until(|| TURNS.load(Ordering::Relaxed) > 0);
    for plugin in &plugins {
        ask(plugin, "busy");
        until(|| plugin.stats().tasks > 0);
        let before = TURNS.load(Ordering::Relaxed);
        until(|| plugin.stats().tasks == 0);
        // 200,000 messages, of which tokio lets a task take 128 per poll.
        let turns = TURNS.load(Ordering::Relaxed) - before;
        assert!(turns > 500, "{turns} turns");
    }
    turns.abort();
}

/// The host ends while tasks of plug-ins wait for events that never come.
fn pending(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        ask(plugin, "pending");
        assert!(plugin.stats().tasks >= 20, "{}", plugin.stats());
    }
    let left = runtime.shutdown_timeout(Duration::from_millis(20));
    assert!(left.tasks >= 20 * plugins.len(), "{left}");
    for plugin in &plugins {
        ask(plugin, "pending_dropped");
        is_left_clean(plugin);
        ask(plugin, "refused");
    }
}

/// The host's end waits for work that plug-ins have begun, on any thread.
fn draining(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        ask(plugin, "sleepers");
    }
    runtime.block_until_idle();
    for plugin in &plugins {
        ask(plugin, "sleepers_done");
        is_left_clean(plugin);
    }
}

/// Results that exist when the host's work has ended still reach the tasks' awaiters.
fn awaited(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    let plugins = load_all(&runtime, folder, names);
    for plugin in &plugins {
        ask(plugin, "awaited");
    }
    runtime.block_until_idle();
    drop(runtime);
    for plugin in &plugins {
        ask(plugin, "awaited_done");
    }
}

/// A plug-in that attaches and then fails is detached, and may be loaded again.
fn wrong_starts(folder: &Path, names: &[&str]) {
    let runtime = two_and_two();
    for name in names {
        for how in ["fails", "panics"] {
            // SAFETY: no other thread reads the environment meanwhile.
            unsafe { std::env::set_var("PLUGIN_START", how) };
            // SAFETY: the library was built for these tests.
            let refused = unsafe { runtime.load_plugin(folder.join(format!("lib{name}.so"))) };
            let text = refused.expect_err("it does not start").to_string();
            assert!(text.contains(&format!("it was told to {}", &how[..4])), "{text}");
        }
        // SAFETY: as above.
        unsafe { std::env::remove_var("PLUGIN_START") };
        let plugin = load(&runtime, folder, name);
        ask(&plugin, "results");
        is_left_clean(&plugin);
    }
}

/// A plug-in that ends what it has not begun moves no counts but its own.
fn wrong_ends(folder: &Path, names: &[&str]) {
    type Ends = extern "C" fn(RuntimeHandle<'_>) -> u32;
    let runtime = two_and_two();
    let waits = runtime.spawn_async(std::future::pending::<()>());
    for plugin in load_all(&runtime, folder, names) {
        let handle = runtime.plugin_handle("by hand");
        // SAFETY: the plug-in exports this function with this type.
        let ends: Ends = unsafe { plugin.symbol("plugin_ends") }.expect("it is exported");
        assert_eq!(ends(handle.as_raw()), 0);
        let stats = handle.stats();
        assert_eq!((stats.tasks, stats.compute_calls, stats.panicked), (0, 0, 2), "{stats}");
        is_left_clean(&plugin);
    }
    // The work that nobody else could end is there still.
    let left = runtime.shutdown_timeout(Duration::ZERO);
    assert_eq!((left.tasks, left.compute_calls), (1, 0), "{left}");
    drop(waits);
}

/// Handles of other versions, whose functions end the process if one of them is called.
fn wrong_hosts(folder: &Path, names: &[&str]) {
    type Attach = extern "C" fn(RuntimeHandle<'_>) -> u32;
    let runtime = two_and_two();
    for plugin in load_all(&runtime, folder, names) {
        // SAFETY: the plug-in exports this function with this type.
        let attach: Attach = unsafe { plugin.symbol("plugin_attach") }.expect("it is exported");
        let own = Header::of::<Table>();
        for header in [
            Header { magic: [1; 8], ..own },
            Header { major: own.major + 1, ..own },
            Header { major: 0, ..own },
            Header { size: own.size - size_of::<usize>(), ..own },
            Header { size: 0, ..own },
        ] {
            let table = wrong_table(header);
            let runtime = std::ptr::null::<Runtime>();
            // SAFETY: it begins with a header, whose version does not fit.
            let handle = unsafe { RuntimeHandle::from_parts(&raw const table, runtime) };
            assert_eq!(attach(handle), 0, "{header:?}");
        }
    }
}

/// A table whose functions all end the process.
fn wrong_table(header: Header) -> Table {
    extern "C" fn never() {
        eprintln!("a function of a table that does not fit was called");
        std::process::abort();
    }
    let mut table = std::mem::MaybeUninit::<Table>::uninit();
    let words = size_of::<Table>() / size_of::<usize>();
    for word in 0..words {
        // SAFETY: a table is a header and pointers to functions, all of that size.
        unsafe { table.as_mut_ptr().cast::<extern "C" fn()>().add(word).write(never) };
    }
    // SAFETY: the header comes first.
    unsafe { table.as_mut_ptr().cast::<Header>().write(header) };
    // SAFETY: each word has been written.
    unsafe { table.assume_init() }
}

/// Libraries of other versions, and libraries that are no plug-ins.
fn wrong_plugins(folder: &Path, _names: &[&str]) {
    let runtime = two_and_two();
    let loads = |name: &str| {
        // SAFETY: they were built for these tests; their exports do not fit, or do not exist.
        unsafe { runtime.load_plugin(folder.join(name)) }.expect_err("it does not fit")
    };
    let lack = |name: &str| match loads(name) {
        LoadError::Version { lack, .. } => lack,
        other => panic!("{name}: {other}"),
    };
    assert!(matches!(lack("libwrong_magic.so"), Lack::Magic(_)));
    assert!(matches!(lack("libwrong_major.so"), Lack::Major(99)));
    assert!(matches!(lack("libwrong_size.so"), Lack::Size { found: 24, .. }));
    let none = loads("libwrong_none.so");
    assert!(none.to_string().contains("export!"), "{none}");
    let missing = loads("libthere_is_none.so");
    assert!(matches!(missing, LoadError::Unloadable { .. }), "{missing}");
    assert!(missing.to_string().contains("libthere_is_none.so"), "{missing}");
    assert!(runtime.plugins().is_empty());
}
