//! Running runtimes endure every waker: calls, streams, local cores, clocks, and the wait for the
//! end.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::oneshot;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::hostile::{
    ALL, ENDS, Hostile, Place, Waiting, Wakes, caught, endure, endure_panics, eventually,
    none_is_left, poll, quietly,
};
use crate::sync::mpsc;
use crate::{ComputeStreamExt, LoomBuilder, LoomRuntime};

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

fn runtime() -> LoomRuntime {
    let builder = LoomBuilder::new().tokio_threads(1).rayon_threads(2).local_cores(1);
    builder.calibrate(false).build().expect("it starts")
}

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Call,
    Tried,
    /// A stream in order, and one in any order.
    Stream,
    Unordered,
    Local,
}

/// Work that goes on until the test opens its gate.
struct Working {
    runtime: LoomRuntime,
    kind: Kind,
    gates: RefCell<Vec<mpsc::Sender<()>>>,
    local_gates: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Working {
    fn on(runtime: LoomRuntime, kind: Kind) -> Self {
        let (gates, local_gates) = (RefCell::default(), RefCell::default());
        Self { runtime, kind, gates, local_gates }
    }

    fn gate(&self) -> mpsc::Receiver<()> {
        let (sender, gate) = mpsc::channel();
        self.gates.borrow_mut().push(sender);
        gate
    }

    fn work(&self) -> impl FnOnce() + Send + 'static {
        let gate = self.gate();
        move || assert!(gate.recv().is_err())
    }

    fn stream(&self, is_ordered: bool) -> Wait {
        let gates = [self.gate(), self.gate()];
        let stream = tokio_stream::iter(gates).compute_map(|gate| assert!(gate.recv().is_err()));
        let stream = stream.in_flight(2).on(&self.runtime);
        let mut stream = if is_ordered { stream } else { stream.unordered() };
        Box::pin(poll_fn(move |cx| Pin::new(&mut stream).poll_next(cx).map(drop)))
    }
}

impl Place for Working {
    type Wait = Wait;

    fn wait(&self) -> Wait {
        match self.kind {
            Kind::Call => Box::pin(self.runtime.spawn_compute(self.work())),
            Kind::Tried => {
                let mut call = self.runtime.try_spawn_compute(self.work());
                Box::pin(poll_fn(move |cx| Pin::new(&mut call).poll(cx).map(drop)))
            }
            Kind::Stream => self.stream(true),
            Kind::Unordered => self.stream(false),
            Kind::Local => {
                let (sender, gate) = oneshot::channel();
                self.local_gates.borrow_mut().push(sender);
                let mut task = self.runtime.local(0).spawn_with(move || async { drop(gate.await) });
                Box::pin(poll_fn(move |cx| Pin::new(&mut task).poll(cx).map(drop)))
            }
        }
    }

    fn fire(&self) {
        drop(self.gates.take());
        drop(self.local_gates.take());
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.fire();
    }
}

#[test]
fn compute_threads_and_local_cores_endure_every_waker() {
    for kind in [Kind::Call, Kind::Tried, Kind::Stream, Kind::Unordered, Kind::Local] {
        endure_panics(|| Working::on(runtime(), kind));
    }
}

/// The wait for the end, with a task of the program's tracker and one of the runtime.
struct Ending {
    runtime: LoomRuntime,
    token: RefCell<Option<TaskTrackerToken>>,
}

impl Ending {
    fn new() -> Self {
        let runtime = runtime();
        let token = RefCell::new(Some(runtime.task_tracker().token()));
        Self { runtime, token }
    }
}

impl Place for Ending {
    type Wait = Wait;
    const GOES_ON: bool = false;

    fn wait(&self) -> Wait {
        let runtime = self.runtime.clone();
        Box::pin(async move { runtime.wait_for_shutdown().await })
    }

    fn fire(&self) {
        self.runtime.shutdown();
        let token = self.token.take();
        drop(token);
    }
}

/// Without the shield, tokio's list drops the wakers behind one that panics.
#[test]
fn the_wait_for_the_end_endures_every_waker() {
    endure(Ending::new);
}

#[test]
fn the_end_begins_though_a_waker_of_the_tracker_panics() {
    let runtime = runtime();
    let tracker = runtime.task_tracker().clone();
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let mut wait = Box::pin(tracker.wait());
    assert!(poll(&mut wait, &waker).is_pending(), "it is not closed");
    hostile.panics_on(&ENDS[..2]);
    quietly("the begin of the end", || runtime.shutdown());
    assert!(hostile.wakes() == 1 && runtime.is_shutting_down() && tracker.is_closed());
    drop(wait);
    none_is_left(&hostile, waker);
}

/// The threads that drive them go on.
#[test]
fn clocks_of_a_runtime_and_of_a_local_core_endure_every_waker() {
    let runtime = runtime();
    for clock in [runtime.clock().clone(), runtime.local(0).clock().clone()] {
        let hostile = Hostile::default();
        let waker = hostile.waker();
        while hostile.wakes() < 3 {
            let mut delays = [1, 2, 3].map(|millis| clock.delay(Duration::from_millis(millis)));
            for delay in &mut delays {
                hostile.behave();
                let _is_over = poll(delay, &waker);
            }
            hostile.panics_on(&ALL);
            let (counted, good) = Wakes::new();
            let mut last = clock.delay(Duration::from_millis(4));
            if poll(&mut last, &good).is_pending() {
                eventually("a delay is deaf", || counted.count() > 0);
            }
            quietly("delays that are over", || drop(delays));
        }
        let last = Waiting::of(clock.delay(Duration::from_millis(1)));
        last.ends();
        none_is_left(&hostile, waker);
    }
    drop(runtime);
}

/// Wakers that submit, spawn and drop, on the threads of the runtime.
#[test]
fn a_waker_may_use_the_runtime_that_calls_it() {
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let runtime = runtime();
    let (sender, began) = mpsc::channel();
    hostile.on(&ENDS, {
        let runtime = runtime.clone();
        move || {
            let call = runtime.spawn_compute(|| ());
            let task = runtime.local(0).spawn_with(|| async {});
            let delay = runtime.clock().delay(Duration::from_millis(1));
            let _ = sender.send((Waiting::of(call), Waiting::of(task), Waiting::of(delay)));
            let mut dropped = runtime.spawn_compute(|| ());
            let _is_over = caught(|| poll(&mut dropped, std::task::Waker::noop()).is_ready());
        }
    });
    for kind in [Kind::Call, Kind::Local] {
        let place = Working::on(runtime.clone(), kind);
        let mut wait = place.wait();
        assert!(poll(&mut wait, &waker).is_pending());
        place.fire();
        let (call, task, delay) = began.recv_timeout(Duration::from_secs(30)).expect("it is woken");
        call.ends();
        task.ends();
        delay.ends();
        drop(wait);
    }
    none_is_left(&hostile, waker);
}
