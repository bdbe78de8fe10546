//! Calls whose tasks are woken together.

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::Poll;

use loom::{ComputeFuture, LoomRuntime};

use crate::waits::on_each_pool;

/// A brief call, always of the same kind, that may wait for a message.
fn brief(runtime: &LoomRuntime, message: Option<mpsc::Receiver<()>>) -> ComputeFuture<()> {
    runtime.spawn_compute(move || {
        // Some microseconds, however it is compiled.
        (0..5_000).for_each(|n| _ = black_box(n));
        if let Some(message) = message {
            message.recv().expect("the task sends it");
        }
    })
}

/// The waker of a call's task may be held back while the next call runs. That call may wait for
/// what the task does next.
#[test]
fn a_brief_call_may_wait_for_the_task_of_the_call_before_it() {
    on_each_pool(|runtime| {
        runtime.block_on(async {
            for _ in 0..200 {
                brief(&runtime, None).await;
            }
        });
        let threads = runtime.rayon_pool().current_num_threads();
        let started = Arc::new(Barrier::new(threads + 1));
        let (open, gates): (Vec<_>, Vec<_>) = (0..threads)
            .map(|_| {
                let (open, gate) = mpsc::channel::<()>();
                let started = Arc::clone(&started);
                let gate = runtime.spawn_compute(move || {
                    started.wait();
                    gate.recv()
                });
                (open, gate)
            })
            .unzip();
        started.wait();
        let (send, message) = mpsc::channel();
        let mut first = brief(&runtime, None);
        let (polled, is_polled) = mpsc::channel();
        let task = runtime.spawn_async(async move {
            let is_ready = poll_fn(|cx| Poll::Ready(Pin::new(&mut first).poll(cx).is_ready()));
            assert!(!is_ready.await, "every compute thread is busy");
            polled.send(()).expect("the test waits for it");
            first.await;
            send.send(())
        });
        is_polled.recv().expect("the task sends it");
        let mut calls = vec![brief(&runtime, Some(message))];
        calls.extend((0..16 * threads).map(|_| brief(&runtime, None)));
        drop(open);
        runtime.block_on(async {
            for gate in gates {
                assert!(gate.await.is_err(), "it was opened");
            }
            for call in calls {
                call.await;
            }
            task.await.expect("no panic").expect("the call takes it");
        });
    });
}
