//! Tests of what a plug-in or its host leaves behind when it ends.

use std::future::pending;
use std::time::{Duration, Instant};

use loom_abi::{Status, ThreadKind, Work};

use crate::boundary::{Host as _, HostRef};
use crate::core::Owner;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, mpsc, rounds, thread};

use super::PluginHandle;
use super::counts::Starting;
use super::tests::{counts, counts_of, runtime};

fn guest_of(plugin: &PluginHandle) -> HostRef {
    HostRef::of(plugin.as_raw()).expect("it is of this version")
}

/// Adds one when it is dropped.
struct Drops(Arc<AtomicUsize>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two threads go on at the same time.
fn meet(ready: &AtomicUsize) {
    ready.fetch_add(1, Ordering::Relaxed);
    while ready.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
}

#[test]
fn all_work_is_refused_once_the_runtime_or_the_plug_in_has_ended() {
    for runtime_ends in [true, false] {
        let runtime = runtime();
        let plugin = runtime.plugin_handle("late");
        let host = guest_of(&plugin);
        // The program keeps its runtime, so its threads are there.
        let _kept = runtime.clone();
        if runtime_ends {
            let _left = runtime.shutdown_timeout(Duration::ZERO);
        } else {
            plugin.hosted.close();
        }
        let never = || unreachable!("it is refused");
        let (joined, a, b) = host.join(never, never);
        assert_eq!((joined, a.is_none(), b.is_none()), (Status::SHUT_DOWN, true, true));
        let spawned = host.spawn(async { unreachable!("it is refused") });
        assert_eq!(spawned.err(), Some(Status::SHUT_DOWN));
        let driven = host.block_on(async { unreachable!("it is refused") });
        assert_eq!(driven, Status::SHUT_DOWN);
        assert_eq!(host.compute(never, 1), Status::SHUT_DOWN);
        assert_eq!(host.start_thread(ThreadKind::IO, 0, never), Status::SHUT_DOWN);
        assert_eq!(host.begin(Work::TASK), Status::SHUT_DOWN);
        assert_eq!(host.begin(Work::COMPUTE), Status::SHUT_DOWN);
        assert_eq!(host.register(|| ()), Status::SHUT_DOWN);
        assert_eq!(counts_of(&plugin), (0, 0, 0, 0));
    }
}

#[test]
fn what_a_plug_in_has_begun_and_not_ended_goes_with_it() {
    let runtime = runtime();
    let begins = |plugin: &PluginHandle| {
        for work in [Work::TASK, Work::TASK, Work::COMPUTE] {
            assert_eq!(plugin.hosted.begin(work), Status::DONE);
        }
        assert_eq!(counts(&runtime), (2, 1));
    };
    let closed = runtime.plugin_handle("closed");
    begins(&closed);
    closed.hosted.close();
    assert_eq!((counts(&runtime), counts_of(&closed)), ((0, 0), (0, 0, 0, 0)));
    assert_eq!(closed.hosted.end(Work::TASK, Status::DONE), Status::REFUSED);
    assert_eq!(counts(&runtime), (0, 0));

    let dropped = runtime.plugin_handle("dropped");
    begins(&dropped);
    drop(dropped);
    assert_eq!(counts(&runtime), (0, 0));
}

/// The plug-in's runtime counts its calls with the host, and the host ends meanwhile.
#[test]
fn a_call_that_the_host_does_not_count_is_not_ended_there() {
    let runtime = runtime();
    let plugin = runtime.plugin_handle("beyond");
    let owner = Owner::default();
    owner.set_host(Arc::new(guest_of(&plugin)));
    owner.begin_call();
    let _left = runtime.shutdown_timeout(Duration::ZERO);
    owner.begin_call();
    owner.begin_call();
    for _ in 0..3 {
        owner.end_call(false);
    }
    assert_eq!(counts_of(&plugin), (0, 0, 1, 0));
    assert!(!plugin.hosted.has_ended_too_much(), "each end had a begin");
}

#[test]
fn a_guest_that_registers_beside_the_end_is_dropped_once() {
    let runtime = runtime();
    for round in 0..rounds(500) {
        let plugin = runtime.plugin_handle("beside");
        let host = guest_of(&plugin);
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Drops(Arc::clone(&drops));
        let ready = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                meet(&ready);
                host.register(move || {
                    let _held = &held;
                })
            });
            meet(&ready);
            if round % 2 == 0 { host.unregister() } else { plugin.hosted.leave() }
        });
        assert_eq!(drops.load(Ordering::Relaxed), 1, "round {round}");
        assert_eq!(host.register(|| ()), Status::REFUSED);
    }
}

/// Whichever comes first, nothing that has begun is left when the plug-in has gone.
#[test]
fn work_that_begins_beside_the_end_of_its_plug_in_leaves_no_count() {
    let runtime = runtime();
    for round in 0..rounds(500) {
        let plugin = runtime.plugin_handle("beside");
        let ready = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                meet(&ready);
                for work in [Work::TASK, Work::COMPUTE] {
                    let begun = plugin.hosted.begin(work);
                    assert!([Status::DONE, Status::SHUT_DOWN].contains(&begun), "{begun:?}");
                }
            });
            meet(&ready);
            plugin.hosted.close();
        });
        drop(plugin);
        assert_eq!(counts(&runtime), (0, 0), "round {round}");
    }
}

#[test]
fn a_task_counts_until_its_destructor_has_ended() {
    struct Looks(PluginHandle, mpsc::Sender<usize>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.stats().tasks);
        }
    }
    let runtime = runtime();
    let plugin = runtime.plugin_handle("destructor");
    let host = guest_of(&plugin);
    let (sender, seen) = mpsc::channel();
    let looks = Looks(plugin.clone(), sender);
    let task = host.spawn(async move {
        let _looks = looks;
        pending::<()>().await;
    });
    task.expect("the host is there").abort();
    assert_eq!(seen.recv(), Ok(1));
    drop(host);
    while plugin.stats().tasks > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_task_that_is_noted_after_the_start_has_failed_is_aborted() {
    let runtime = runtime();
    let starting = Starting::default();
    let spawn = || runtime.spawn_async(pending::<()>());
    let (early, late) = (spawn(), spawn());
    starting.begin();
    starting.note(&early.abort_handle());
    starting.fail();
    starting.note(&late.abort_handle());
    for task in [early, late] {
        let ended = runtime.block_on(task);
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
    // After a start that has succeeded, tasks go on.
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let (starting, task) = (Starting::default(), runtime.spawn_async(is_done));
    starting.begin();
    starting.note(&task.abort_handle());
    starting.succeed();
    starting.note(&task.abort_handle());
    starting.fail();
    done.send(()).expect("the task is there");
    assert!(matches!(runtime.block_on(task), Ok(Ok(()))), "it was not aborted");
}

#[test]
fn a_wait_for_threads_ends_with_them_or_with_its_time() {
    let runtime = runtime();
    let plugin = runtime.plugin_handle("threads");
    let host = guest_of(&plugin);
    let (go_on, told) = mpsc::channel::<()>();
    let body = move || {
        let _gone = told.recv();
    };
    assert_eq!(host.start_thread(ThreadKind::IO, 0, body), Status::DONE);
    let threads = &plugin.hosted.threads;
    assert_eq!(threads.join(Some(Instant::now())), 1);
    assert_eq!(threads.join(Some(Instant::now() + Duration::from_millis(3))), 1);
    drop(go_on);
    assert_eq!(threads.join(None), 0);
    assert_eq!(plugin.stats().threads, 0);
}
