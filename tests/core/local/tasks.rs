//! What a task can do on a local core, and what its handle says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use loom::local::{CoreState, StateError};
use loom::{LoomBuilder, LoomError, ThreadRole};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::with_cores;

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn a_future_that_is_not_send_runs_on_its_core() {
    let runtime = with_cores(2);
    for index in 0..2 {
        let core = runtime.local(index);
        assert_eq!(core.id().index(), index);
        let task = core.spawn_with(move || {
            let own = Rc::new(Cell::new(index));
            async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    own.set(own.get() + 1);
                }
                let here = loom::local::current().expect("a core").id().index();
                (own.get(), here, thread_name())
            }
        });
        let expected = (index + 3, index, format!("loom-local-{index:04}"));
        assert_eq!(runtime.block_on(task).expect("no panic"), expected);
        assert_eq!(core.task_count(), 0);
    }
}

#[test]
fn a_key_has_its_core_for_good() {
    let runtime = with_cores(3);
    let core_of = |key: &str| runtime.local_for(key).id();
    let keys: Vec<String> = (0..100).map(|n| format!("key {n}")).collect();
    let cores: Vec<_> = keys.iter().map(|key| core_of(key)).collect();
    assert_eq!(cores, keys.iter().map(|key| core_of(key)).collect::<Vec<_>>());
    assert_eq!(cores.iter().collect::<BTreeSet<_>>().len(), 3, "all of them are used");
    // The mapping is the same in another runtime, and so in another process.
    let other = with_cores(3);
    assert!(keys.iter().zip(cores).all(|(key, core)| other.local_for(key.as_str()).id() == core));
}

#[test]
fn cores_are_reported_with_their_place() {
    let runtime = with_cores(2);
    let threads = runtime.threads();
    let local: Vec<_> = threads.iter().filter(|t| t.role == ThreadRole::Local).collect();
    assert_eq!(local.len(), 2);
    assert_eq!(local[0].name, "loom-local-0000");
    assert!(local.iter().all(|t| !t.is_idle_class && !t.cpus.is_empty()));
    let told = runtime.to_string();
    assert!(told.contains("+ 2 local cores") && told.contains("loom-local-0001: CPUs"), "{told}");
    assert!(runtime.config().to_string().contains("local_cores = 2 (set in code)"));
}

#[test]
fn too_many_cores_are_refused() {
    let error = LoomBuilder::new().local_cores(1025).build().expect_err("too many").to_string();
    assert!(error.contains("local_cores") && error.contains("0 to 1024"), "{error}");
    assert!(matches!(
        LoomBuilder::new().local_cores(1025).build(),
        Err(LoomError::InvalidSetting { setting: "local_cores", .. })
    ));
}

#[test]
#[should_panic(expected = "there is no local core 0: the runtime has 0")]
fn a_core_that_is_not_there_says_so() {
    let _ = with_cores(0).local(0);
}

#[test]
#[should_panic(expected = "`loom::local::spawn` was called on a thread that is not a local core")]
fn elsewhere_there_is_no_core_to_spawn_on() {
    let runtime = with_cores(1);
    runtime.block_on(async {
        drop(loom::local::spawn(async {}));
    });
}

#[test]
fn a_panic_and_an_abort_are_errors_and_the_core_goes_on() {
    let runtime = with_cores(1);
    let core = runtime.local(0);
    let panics = core.spawn_with(|| async { panic!("with words") });
    let in_make = core.spawn_with(|| -> std::future::Ready<()> { panic!("in make") });
    let aborted = core.spawn_with(std::future::pending::<()>);
    aborted.abort();
    let error = |result: Result<(), loom::local::JoinError>| result.expect_err("none ends well");
    let [panics, in_make, aborted] =
        runtime.block_on(async { [panics.await, in_make.await, aborted.await].map(error) });
    assert_eq!(panics.to_string(), "the task panicked: with words");
    assert!(panics.try_into_panic().is_ok());
    assert_eq!(in_make.to_string(), "the task panicked: in make");
    assert!(aborted.is_cancelled());
    assert_eq!(runtime.block_on(core.spawn_with(|| async { 7 })).ok(), Some(7));
}

#[test]
fn tokio_works_on_a_core() {
    let runtime = with_cores(1);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let task = runtime.local(0).spawn_with(|| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let served = Rc::new(Cell::new(0));
        let serving = loom::local::spawn({
            let served = Rc::clone(&served);
            async move {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let mut text = [0; 4];
                while socket.read_exact(&mut text).await.is_ok() {
                    served.set(served.get() + 1);
                    socket.write_all(&text).await.expect("it listens");
                }
            }
        });
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        let mut text = [0; 4];
        for _ in 0..10 {
            socket.write_all(b"ping").await.expect("it listens");
            socket.read_exact(&mut text).await.expect("it answers");
        }
        drop(socket);
        serving.await.expect("no panic");

        // Tokio's own tasks, blocking functions and timers, on this thread's runtime.
        let name = tokio::spawn(async { thread_name() }).await.expect("no panic");
        let local = Rc::clone(&served);
        let seen = tokio::task::spawn_local(async move { local.get() }).await.expect("no panic");
        let blocking = tokio::task::spawn_blocking(|| {
            // Blocking functions belong to this runtime, and are not bound to the core's CPU.
            let threads = loom::current_runtime().map(|runtime| runtime.rayon_threads());
            let cpus = thread::available_parallelism().map_or(0, usize::from);
            (thread_name(), threads, cpus)
        });
        let (blocking, threads, cpus) = blocking.await.expect("no panic");
        assert_eq!(threads, Some(1));
        let all = loom::current_runtime().map_or(0, |of| of.effective_cpuset().len());
        assert_eq!(cpus, all);
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..3 {
            ticks.tick().await;
        }
        let from_elsewhere: u32 = receiver.recv().await.expect("it is sent");
        (name, seen, blocking, from_elsewhere)
    });
    runtime.block_on(async { sender.send(7).await.expect("it listens") });
    let (name, seen, blocking, from_elsewhere) = runtime.block_on(task).expect("no panic");
    assert_eq!((name.as_str(), seen, from_elsewhere), ("loom-local-0000", 10, 7));
    assert_eq!(blocking, "loom-local-0000-blocking-0000");
}

#[loom::compute(mode = "offload")]
fn where_it_runs() -> String {
    thread_name()
}

#[test]
fn compute_calls_wake_the_core() {
    let runtime = with_cores(1);
    let task = runtime.local(0).spawn_with(|| async {
        let mut names = BTreeSet::new();
        for _ in 0..200 {
            names.insert(where_it_runs().await);
            names.insert(loom::spawn_compute(thread_name).await);
        }
        let mut parts = [1, 2, 3];
        loom::scope_compute(|scope| {
            for part in &mut parts {
                scope.spawn(move |_| *part *= 2);
            }
        })
        .await;
        let inline = loom::spawn_adaptive(|| 6 * 7).await;
        let runtime = loom::current_runtime().expect("the core's").local_cores();
        (names, parts, inline, runtime, thread_name())
    });
    let (names, parts, inline, cores, own) = runtime.block_on(task).expect("no panic");
    assert_eq!(names, BTreeSet::from(["loom-rayon-0000".to_owned()]));
    assert_eq!((parts, inline, cores, own.as_str()), ([2, 4, 6], 42, 1, "loom-local-0000"));
}

#[test]
fn a_core_and_other_threads_wake_each_other() {
    let runtime = with_cores(2);
    let (there, mut back) = (tokio::sync::mpsc::channel(1), tokio::sync::mpsc::channel(1));
    let (to, mut from) = there;
    let echo = runtime.local(0).spawn_with(|| async move {
        while let Some(n) = from.recv().await {
            back.0.send(n).await.expect("it listens");
        }
    });
    let asking = runtime.local(1).spawn_with(|| async move {
        for n in 0..20_000_u32 {
            to.send(n).await.expect("it listens");
            assert_eq!(back.1.recv().await, Some(n));
        }
    });
    runtime.block_on(async {
        asking.await.expect("no panic");
        echo.await.expect("no panic");
    });
}

#[test]
fn a_task_that_always_has_something_to_do_leaves_the_others_their_turn() {
    let runtime = with_cores(1);
    let task = runtime.local(0).spawn_with(|| async {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let over = Rc::new(Cell::new(false));
        // The task never waits: it answers each message with another.
        sender.send(()).expect("it listens");
        let busy = loom::local::spawn({
            let over = Rc::clone(&over);
            async move {
                let mut n = 0_u64;
                while !over.get() {
                    receiver.recv().await.expect("it was sent");
                    sender.send(()).expect("it listens");
                    n += 1;
                }
                n
            }
        });
        let modest = loom::local::spawn(async move {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
            for n in 0..1_000 {
                sender.send(n).await.expect("it listens");
                assert_eq!(receiver.recv().await, Some(n));
            }
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            for _ in 0..3 {
                ticks.tick().await;
            }
        });
        modest.await.expect("no panic");
        over.set(true);
        busy.await.expect("no panic")
    });
    assert!(runtime.block_on(task).expect("no panic") > 0);
}

/// Records the thread on which it was dropped.
struct Own {
    count: Rc<RefCell<usize>>,
    dropped_on: Arc<Mutex<Vec<String>>>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.dropped_on.lock().expect("no panic").push(thread_name());
    }
}

#[test]
fn each_core_has_its_state_and_lends_it_once_at_a_time() {
    let made = Arc::new(AtomicUsize::new(0));
    let dropped_on = Arc::new(Mutex::new(Vec::new()));
    let state = {
        let (made, dropped_on) = (Arc::clone(&made), Arc::clone(&dropped_on));
        CoreState::new(move |core| {
            made.fetch_add(1, Ordering::SeqCst);
            let count = Rc::new(RefCell::new(core.index() * 100));
            Own { count, dropped_on: Arc::clone(&dropped_on) }
        })
    };
    let runtime = with_cores(2);
    for round in 1..=3 {
        for index in 0..2 {
            let state = state.clone();
            let task = runtime.local(index).spawn_with(move || async move {
                state.with(|own| {
                    *own.count.borrow_mut() += 1;
                    let again = state.with(|_| ());
                    (*own.count.borrow(), again)
                })
            });
            let lent = runtime.block_on(task).expect("no panic").expect("it is lent");
            assert_eq!(lent, (index * 100 + round, Err(StateError::Lent)));
        }
    }
    assert_eq!(made.load(Ordering::SeqCst), 2);
    assert_eq!(state.with(|_| ()), Err(StateError::NotOnACore));
    drop(runtime);
    let mut dropped_on = dropped_on.lock().expect("no panic");
    dropped_on.sort();
    assert_eq!(*dropped_on, ["loom-local-0000", "loom-local-0001"]);
}

#[test]
fn state_that_asks_for_itself_while_it_is_made_is_told_so() {
    let state: Arc<Mutex<Option<CoreState<()>>>> = Arc::default();
    let seen = Arc::new(Mutex::new(None));
    let made = {
        let (state, seen) = (Arc::clone(&state), Arc::clone(&seen));
        CoreState::new(move |_| {
            let own = state.lock().expect("no panic").clone().expect("it was put there");
            *seen.lock().expect("no panic") = Some(own.with(|()| ()));
        })
    };
    *state.lock().expect("no panic") = Some(made.clone());
    let runtime = with_cores(1);
    let task = runtime.local(0).spawn_with(move || async move { made.with(|()| ()) });
    assert_eq!(runtime.block_on(task).expect("no panic"), Ok(()));
    assert_eq!(*seen.lock().expect("no panic"), Some(Err(StateError::Lent)));
    // The state refers to itself; this breaks the cycle, which would leak it.
    state.lock().expect("no panic").take();
}

#[test]
fn state_whose_making_panics_is_made_the_next_time() {
    let tries = AtomicUsize::new(0);
    let state = CoreState::new(move |_| {
        assert!(tries.fetch_add(1, Ordering::SeqCst) > 0, "the first time");
        7
    });
    let runtime = with_cores(1);
    let ask = || {
        let state = state.clone();
        runtime.block_on(runtime.local(0).spawn_with(move || async move { state.with(|n| *n) }))
    };
    assert!(ask().expect_err("it panics").is_panic());
    assert_eq!(ask().ok(), Some(Ok(7)));
}

#[loom::main(local_cores = 1, tokio_threads = 1, rayon_threads = 1)]
async fn by_attribute() -> Option<u32> {
    let runtime = loom::current_runtime()?;
    runtime.local(0).spawn_with(|| async { 7 }).await.ok()
}

#[test]
fn the_attribute_has_them_too() {
    assert_eq!(by_attribute(), Some(7));
}

#[test]
fn a_current_thread_runtime_may_have_them() {
    let runtime = LoomBuilder::new()
        .tokio_flavor(loom::TokioFlavor::CurrentThread)
        .rayon_threads(1)
        .local_cores(1)
        .build()
        .expect("it starts");
    // The core runs on its own, whether or not a thread drives the runtime.
    let (sender, receiver) = mpsc::channel();
    let task = runtime.local(0).spawn_with(move || async move { sender.send(7).is_ok() });
    assert_eq!(receiver.recv(), Ok(7));
    assert_eq!(runtime.block_on(task).ok(), Some(true));
}
