//! Scopes: parallel work that borrows, and how it ends when something fails.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use loom::{ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, TokioFlavor};

/// A builder of a runtime whose compute work stays in one class. Where it may move to another class, it
/// moves to other threads, and those that a test keeps busy keep nothing back.
fn threads(tokio: usize, rayon: usize) -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(tokio).rayon_threads(rayon);
    builder.compute_priority(ComputePriority::Normal)
}

fn runtime() -> LoomRuntime {
    threads(2, 2).build().expect("it starts")
}

/// Drives a future on the calling thread, which belongs to no runtime.
fn drive<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Adds up in two halves, which may run on different threads.
async fn sum(runtime: &LoomRuntime, numbers: &[u64]) -> u64 {
    let (mut left, mut right) = (0, 0);
    let (a, b) = numbers.split_at(numbers.len() / 2);
    let spawned = runtime
        .scope_compute(|scope| {
            scope.spawn(|_| left = a.iter().sum());
            scope.spawn(|_| right = b.iter().sum());
            rayon::current_thread_index().is_some()
        })
        .await;
    assert!(spawned, "it runs on the compute pool");
    left + right
}

#[test]
fn a_scope_borrows_and_gives_back() {
    let runtime = runtime();
    let numbers: Vec<u64> = (1..=1000).collect();
    assert_eq!(runtime.block_on(sum(&runtime, &numbers)), 500_500);
    assert_eq!(numbers.len(), 1000);
}

#[test]
fn a_scope_runs_wherever_it_is_polled() {
    let runtime = runtime();
    let numbers: Vec<u64> = (1..=1000).collect();
    // A plain thread, a task, a blocking thread, a compute thread, and a runtime of one thread.
    assert_eq!(drive(sum(&runtime, &numbers)), 500_500);
    let in_task = {
        let (runtime, numbers) = (runtime.clone(), numbers.clone());
        async move { sum(&runtime, &numbers).await }
    };
    assert_eq!(runtime.block_on(runtime.spawn_async(in_task)).expect("no panic"), 500_500);
    let blocking = {
        let (runtime, numbers) = (runtime.clone(), numbers.clone());
        runtime.clone().spawn_blocking(move || runtime.block_on(sum(&runtime, &numbers)))
    };
    assert_eq!(runtime.block_on(blocking).expect("no panic"), 500_500);
    let compute = {
        let (runtime, numbers) = (runtime.clone(), numbers.clone());
        runtime.clone().spawn_compute(move || runtime.block_on(sum(&runtime, &numbers)))
    };
    assert_eq!(runtime.block_on(compute), 500_500);
    let lone = LoomBuilder::new().tokio_flavor(TokioFlavor::CurrentThread).build();
    let lone = lone.expect("it starts");
    assert_eq!(lone.block_on(sum(&lone, &numbers)), 500_500);
    let plain = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
    let local = tokio::task::LocalSet::new();
    assert_eq!(local.block_on(&plain, sum(&runtime, &numbers)), 500_500);
}

#[test]
fn scopes_nest() {
    let runtime = runtime();
    let mut cells = [[0_u32; 8]; 8];
    runtime.block_on(runtime.scope_compute(|scope| {
        for (i, row) in cells.iter_mut().enumerate() {
            scope.spawn(move |_| {
                rayon::scope(|inner| {
                    for (j, cell) in row.iter_mut().enumerate() {
                        inner.spawn(move |_| *cell = u32::try_from(i * 8 + j).expect("small"));
                    }
                });
            });
        }
    }));
    assert!(cells.iter().flatten().copied().eq(0..64));
}

/// The only worker polls a scope that waits for another task of that worker.
#[test]
fn other_tasks_of_the_worker_go_on() {
    for hint in [None, Some(ComputeHint::Low), Some(ComputeHint::High)] {
        let runtime = threads(1, 1).build();
        let runtime = runtime.expect("it starts");
        let (sender, receiver) = mpsc::channel();
        let of_task = runtime.clone();
        let task = runtime.spawn_async(async move {
            // The new task waits in this worker's queue, behind the running task.
            tokio::spawn(async move { sender.send(42).expect("somebody listens") });
            let mut answer = 0;
            let room = &mut answer;
            let work = move |_: &loom::Scope<'_>| *room = receiver.recv().expect("it is sent");
            match hint {
                None => of_task.scope_compute(work).await,
                Some(hint) => of_task.scope_adaptive_with_hint(hint, work).await,
            }
            answer
        });
        assert_eq!(runtime.block_on(task).expect("no panic"), 42, "{hint:?}");
    }
}

#[test]
fn adaptive_scopes_give_the_same() {
    let runtime = runtime();
    runtime.block_on(async {
        let mut total = 0;
        for round in 0..100_u64 {
            let mut parts = [0; 4];
            runtime
                .scope_adaptive(|scope| {
                    for part in &mut parts {
                        scope.spawn(move |_| *part = round);
                    }
                })
                .await;
            total += parts.iter().sum::<u64>();
        }
        assert_eq!(total, 4 * (0..100).sum::<u64>());
    });
}

/// Runs four closures of which the one at `place` panics, and counts how many have ended.
fn panics_at(runtime: &LoomRuntime, place: usize) -> (u8, usize) {
    let ended = AtomicUsize::new(0);
    let scope = runtime.scope_compute(|scope| {
        for i in 0..4 {
            let ended = &ended;
            scope.spawn(move |_| {
                struct Ended<'a>(&'a AtomicUsize);
                impl Drop for Ended<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                let _ended = Ended(ended);
                if i == place {
                    panic_any(7_u8);
                }
            });
        }
        if place == 4 {
            panic_any(7_u8);
        }
    });
    let payload = catch_unwind(AssertUnwindSafe(|| runtime.block_on(scope)));
    let payload = payload.expect_err("it panics");
    (*payload.downcast_ref().expect("what was thrown"), ended.into_inner())
}

#[test]
fn a_panic_anywhere_comes_after_all_work_has_ended() {
    let runtime = runtime();
    for place in 0..=4 {
        assert_eq!(panics_at(&runtime, place), (7, 4), "place {place}");
    }
    // The pool still works.
    assert_eq!(runtime.block_on(sum(&runtime, &[1, 2, 3])), 6);
}

#[test]
fn a_scope_that_is_never_polled_never_runs() {
    let runtime = runtime();
    let ran = AtomicUsize::new(0);
    drop(runtime.scope_compute(|_| ran.fetch_add(1, Ordering::Relaxed)));
    let leaked = ManuallyDrop::new(runtime.scope_compute(|_| ran.fetch_add(1, Ordering::Relaxed)));
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    // Nor is it counted as work that an end waits for.
    runtime.block_until_idle();
    // Leak checkers would report it.
    drop(ManuallyDrop::into_inner(leaked));
}

/// Uses what it borrows when it is dropped.
struct Looks<'a>(&'a AtomicUsize);

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_leaked_scope_has_ended_with_its_first_poll() {
    let runtime = runtime();
    let looked = AtomicUsize::new(0);
    let mut leaked = ManuallyDrop::new(runtime.scope_compute(|scope| {
        for _ in 0..8 {
            scope.spawn(|_| drop(Looks(&looked)));
        }
        Looks(&looked)
    }));
    let mut cx = Context::from_waker(Waker::noop());
    let answer = pin!(&mut *leaked).poll(&mut cx);
    assert_eq!(looked.load(Ordering::Relaxed), 8, "all that borrowed has ended");
    let Poll::Ready(result) = answer else { panic!("it is ready") };
    drop(result);
    assert_eq!(looked.load(Ordering::Relaxed), 9);
    // Leak checkers would report it.
    drop(ManuallyDrop::into_inner(leaked));
}

/// The awaiting task ends, is aborted, or panics while the scope runs.
#[test]
fn a_scope_ends_before_what_it_borrows_however_its_task_ends() {
    let runtime = runtime();
    for way in 0..3 {
        let (started, has_started) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let (ended, has_ended) = mpsc::channel();
        let of_task = runtime.clone();
        let task = async move {
            let looked = AtomicUsize::new(0);
            let scope = of_task.scope_compute(|scope| {
                let looked = &looked;
                scope.spawn(move |_| {
                    started.send(()).expect("the test waits");
                    held.recv().expect("it is released");
                    drop(Looks(looked));
                });
                Looks(looked)
            });
            tokio::select! {
                biased;
                result = scope => drop(result),
                () = std::future::ready(()) => panic!("the scope came first"),
            }
            ended.send(looked.into_inner()).expect("the test waits");
            if way == 2 {
                panic_any(7_u8);
            }
        };
        let task = runtime.spawn_async(task);
        has_started.recv().expect("it runs");
        if way == 1 {
            task.abort();
        }
        release.send(()).expect("it waits");
        assert_eq!(has_ended.recv(), Ok(2), "way {way}");
        // An aborted task ends at an await; this one has none after the abort.
        assert_eq!(runtime.block_on(task).is_err(), way == 2, "way {way}");
    }
}

#[test]
fn a_timeout_comes_too_late_for_a_scope() {
    let runtime = runtime();
    let mut ran = false;
    let answer = runtime.block_on(async {
        // The time has elapsed from the start, but `timeout` polls the scope first, and that poll
        // runs it to its end.
        tokio::time::timeout(Duration::ZERO, runtime.scope_compute(|_| ran = true)).await
    });
    assert!(answer.is_ok() && ran);
}

#[test]
fn the_owned_form_gives_its_state_back() {
    let runtime = runtime();
    let state: Vec<u64> = (1..=1000).collect();
    let (state, sum) = runtime.block_on(runtime.scope_compute_with(state, |scope, state| {
        let (sender, sums) = mpsc::channel();
        for part in state.chunks(100) {
            let sender = sender.clone();
            scope.spawn(move |_| sender.send(part.iter().sum::<u64>()).expect("it listens"));
        }
        drop(sender);
        sums.iter().sum::<u64>()
    }));
    assert_eq!((state.len(), sum), (1000, 500_500));
}

#[test]
fn the_owned_form_can_be_cut_short() {
    let runtime = runtime();
    let state = Arc::new(());
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let scope = runtime.scope_compute_with((Arc::clone(&state), held), |_, (_, held)| {
        held.lock().expect("not poisoned").recv().expect_err("it is let go");
    });
    let answer =
        runtime.block_on(async { tokio::time::timeout(Duration::from_millis(1), scope).await });
    assert!(answer.is_err());
    drop(release);
    runtime.block_until_idle();
    assert_eq!(Arc::strong_count(&state), 1, "what nobody wants was dropped");
}

#[test]
fn a_panic_of_the_owned_form_drops_its_state() {
    let runtime = runtime();
    let state = Arc::new(());
    let scope = runtime.scope_compute_with(Arc::clone(&state), |scope, _| {
        scope.spawn(|_| panic!("as told"));
    });
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(scope))).is_err());
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn an_ended_runtime_refuses_scopes() {
    let runtime = runtime();
    runtime.block_until_idle();
    let refused = catch_unwind(AssertUnwindSafe(|| drive(runtime.scope_compute(|_| ()))));
    let payload = refused.expect_err("it is refused");
    let words = payload.downcast_ref::<String>().expect("words");
    assert!(words.contains("has been shut down"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_tokio_program_has_scopes() {
    let text = String::from("a b c");
    let words = loom::scope_compute(|_| text.split(' ').count()).await;
    let (text, again) = loom::scope_compute_with(text, |_, text| text.split(' ').count()).await;
    assert_eq!((words, again, text.len()), (3, 3, 5));
    assert_eq!(loom::scope_adaptive(|_| text.len()).await, 5);
}

/// A compute thread of one runtime waits for a scope of another, which waits for the first.
#[test]
fn a_scope_of_another_runtime_does_not_block_a_compute_thread() {
    let one = || threads(1, 1).build().expect("it starts");
    let (a, b) = (one(), one());
    let (of_a, of_b) = (a.clone(), b.clone());
    let answer = a.spawn_compute(move || {
        drive(of_b.scope_compute(|_| {
            let of_a = of_a.clone();
            let helper = thread::spawn(move || drive(of_a.scope_compute(|_| 42)));
            helper.join().expect("no panic")
        }))
    });
    assert_eq!(a.block_on(answer), 42);
}

/// Tokio refuses to hand over a worker that drives another runtime.
#[test]
fn a_scope_under_another_runtimes_guard_ends_all_the_same() {
    let runtime = runtime();
    let plain = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
    let (sender, receiver) = mpsc::channel();
    let helper = thread::spawn(move || sender.send(7));
    let sum = plain.block_on(async {
        let _guard = runtime.enter();
        runtime.scope_adaptive_with_hint(ComputeHint::High, move |_| receiver.recv()).await
    });
    assert_eq!(sum, Ok(7));
    helper.join().expect("no panic").expect("somebody listens");
}

#[test]
fn a_scope_leaves_the_wakes_of_other_futures_to_the_executor() {
    let runtime = runtime();
    for _ in 0..100 {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let scope = runtime.scope_compute(|_| sender.send(7));
        let both = drive(async { tokio::join!(receiver, scope) });
        assert_eq!(both, (Ok(7), Ok(())));
    }
}
