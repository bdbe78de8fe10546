//! Code of the program that runs where a call ends: wakers that wait for another call, and values whose
//! drop panics.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use loom::LoomRuntime;
use tokio::task::LocalSet;

use crate::runtime;

/// Waits for another call of the runtime before it wakes the thread.
struct Waits {
    runtime: LoomRuntime,
    thread: Thread,
}

impl Wake for Waits {
    fn wake(self: Arc<Self>) {
        let (sender, receiver) = mpsc::channel();
        self.runtime.spawn_compute(move || sender.send(())).detach();
        receiver.recv().expect("it is run");
        self.thread.unpark();
    }
}

/// A task of a `LocalSet` has the waker of tokio's tasks, and that wakes this one.
#[test]
fn a_waker_may_wait_for_a_call_also_behind_a_local_set() {
    for is_in_set in [false, true] {
        let runtime = runtime(2);
        let waker = Waits { runtime: runtime.clone(), thread: thread::current() };
        let waker = Waker::from(Arc::new(waker));
        let set = LocalSet::new();
        let (release, released) = mpsc::channel::<()>();
        let call = runtime.spawn_compute(move || {
            released.recv().expect_err("it is only ever let go");
        });
        let mut ended = pin!(async {
            if is_in_set {
                set.run_until(async { tokio::task::spawn_local(call).await })
                    .await
                    .expect("no panic");
            } else {
                call.await;
            }
        });
        let mut cx = Context::from_waker(&waker);
        assert!(ended.as_mut().poll(&mut cx).is_pending());
        drop(release);
        loop {
            thread::park();
            if ended.as_mut().poll(&mut cx) == Poll::Ready(()) {
                break;
            }
        }
    }
}

/// Whether its drop panics; that of a copy does.
struct Fails(bool);

impl Drop for Fails {
    fn drop(&mut self) {
        if self.0 {
            panic_any("as told");
        }
    }
}

impl Clone for Fails {
    fn clone(&self) -> Self {
        Self(true)
    }
}

tokio::task_local! {
    static FIRST: Fails;
    static SECOND: Fails;
}

#[loom::compute(mode = "offload", carry(FIRST, SECOND))]
fn takes(argument: Option<Fails>) -> Option<Fails> {
    argument.is_none().then(|| Fails(true))
}

/// Each part of what a call holds panics in its drop: the argument, what it carries, and the result.
#[test]
fn values_whose_drops_panic_end_neither_the_process_nor_the_pool() {
    let runtime = runtime(1);
    let within = |argument: Option<Fails>, is_awaited: bool| {
        let call = async move {
            let mut call = Box::pin(takes(argument));
            if is_awaited {
                mem::forget(call.await);
            } else {
                // It may have ended already: the drop of a result is not what this is about, and a panic
                // of the argument's drop is the call's own.
                let polled = catch_unwind(AssertUnwindSafe(|| {
                    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                }));
                mem::forget(polled);
                drop(call);
            }
        };
        runtime.block_on(FIRST.scope(Fails(false), SECOND.scope(Fails(false), call)));
    };
    for _ in 0..20 {
        within(None, true);
        // Given up while it is queued, while it runs, or when it has ended.
        within(Some(Fails(true)), false);
        within(None, false);
    }
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 7)), 7);
}

/// An executor that a task of tokio's runs within its poll, so that tokio wakes nobody meanwhile. There are
/// fewer calls than tokio's budget for one poll, at whose end every resource of tokio's waits, too.
#[test]
fn an_executor_within_a_worker_sees_the_end_of_each_call() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let runtime = runtime(2);
    for _ in 0..20 {
        let own = runtime.clone();
        let task = runtime.spawn_async(async move {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            for n in 0..100 {
                let mut call = pin!(own.spawn_compute(move || n));
                let seen = loop {
                    match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Ready(seen) => break seen,
                        Poll::Pending => thread::park(),
                    }
                };
                assert_eq!(seen, n);
            }
        });
        runtime.block_on(task).expect("no panic");
    }
}
