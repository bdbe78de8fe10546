//! Handles and drivers of an executor endure every waker.

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Executor, JoinHandle, RemoteSpawner, Spawner};
use crate::hostile::{
    ALL, ENDS, Hostile, Place, Step, WAKES, Wakes, caught, endure, forget_here, here, none_is_left,
    quietly,
};
use crate::sync::{rounds, thread};

/// How the tasks of a place are made, and how they end.
#[derive(Clone, Copy, Debug)]
enum How {
    Complete,
    Sent,
    CancelledTogether,
    Aborted,
    /// Their executor is dropped.
    Ended,
}

struct Tasks {
    executor: RefCell<Option<Executor>>,
    spawner: Spawner,
    remote: RemoteSpawner,
    aborts: RefCell<Vec<super::AbortHandle>>,
    how: How,
}

impl Tasks {
    fn new(how: How) -> Self {
        // Some tasks are in slots, some on the heap.
        let executor = Executor::new(2);
        let (spawner, remote) = (executor.spawner(), executor.remote_spawner());
        let (executor, aborts) = (RefCell::new(Some(executor)), RefCell::default());
        Self { executor, spawner, remote, aborts, how }
    }
}

impl Place for Tasks {
    type Wait = JoinHandle<()>;

    fn wait(&self) -> JoinHandle<()> {
        let handle = match self.how {
            How::Complete => self.spawner.spawn(ready(())),
            How::Sent => self.remote.spawn_with(|| ready(())),
            How::CancelledTogether | How::Aborted | How::Ended => self.spawner.spawn(pending()),
        };
        if let How::Aborted = self.how {
            self.aborts.borrow_mut().push(handle.abort_handle());
        }
        handle
    }

    fn fire(&self) {
        let aborts = self.aborts.take();
        aborts.iter().for_each(super::AbortHandle::abort);
        drop(aborts);
        // A waker may call this while the executor is in use.
        let Ok(mut executor) = self.executor.try_borrow_mut() else { return };
        if let How::Ended = self.how {
            let ended = executor.take();
            drop(executor);
            return drop(ended);
        }
        let Some(executor) = &mut *executor else { return };
        if let How::CancelledTogether = self.how {
            executor.cancel_all();
        }
        while executor.has_ready() {
            executor.poll();
        }
    }
}

#[test]
fn a_handle_endures_every_waker() {
    for how in [How::Complete, How::Sent, How::CancelledTogether, How::Aborted, How::Ended] {
        endure(|| Tasks::new(how));
    }
}

/// An executor with one task, which shows its waker.
struct Driven {
    executor: Executor,
    task: Waker,
}

impl Driven {
    fn new() -> Self {
        let mut executor = Executor::new(1);
        let shown = Rc::new(RefCell::new(None));
        executor.spawn_boxed({
            let shown = Rc::clone(&shown);
            poll_fn(move |cx| {
                *shown.borrow_mut() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
        });
        executor.poll();
        let task = shown.take().expect("it was polled");
        Self { executor, task }
    }

    fn sleep(&mut self, waker: &Waker) {
        assert!(self.executor.poll_in(&Context::from_waker(waker)).is_pending());
    }

    fn wake_from_elsewhere(&self) {
        let task = self.task.clone();
        thread::spawn(move || task.wake()).join().expect("no panic of the driver's waker");
    }

    /// Fails unless the executor wakes its driver, here and from another thread.
    fn hears(&mut self) {
        let (counted, waker) = Wakes::new();
        self.sleep(&waker);
        assert_eq!(counted.count(), 0);
        self.wake_from_elsewhere();
        assert_eq!(counted.count(), 1, "from another thread");
        self.sleep(&waker);
        self.task.wake_by_ref();
        assert_eq!(counted.count(), 2, "from its own");
        // The executor is polled by another caller, which leaves nothing to do.
        self.executor.poll();
    }
}

/// With `atomic_waker` in place of the cell, this fails: a clone that panics leaves that one busy.
#[test]
fn a_driver_whose_clone_panics_is_told_and_the_next_one_is_woken() {
    let hostile = Hostile::default();
    let mut driven = Driven::new();
    let waker = hostile.waker();
    hostile.panics_on(&ALL);
    for _ in 0..3 {
        let slept = caught(|| driven.sleep(&waker));
        assert!(slept.is_none(), "the panic reaches the caller of `poll_in`");
    }
    driven.hears();
    // An earlier waker is still in its place.
    let (counted, good) = Wakes::new();
    driven.sleep(&good);
    assert!(caught(|| driven.sleep(&waker)).is_none());
    driven.wake_from_elsewhere();
    assert_eq!(counted.count(), 1);
    drop(driven);
    none_is_left(&hostile, waker);
}

#[test]
fn a_driver_whose_wake_panics_harms_neither_wakers_nor_the_next_driver() {
    for steps in [&WAKES[..], &ENDS] {
        let hostile = Hostile::default();
        let waker = hostile.waker();
        let mut driven = Driven::new();
        driven.sleep(&waker);
        hostile.panics_on(steps);
        driven.wake_from_elsewhere();
        assert_eq!(hostile.wakes(), 1);
        driven.sleep(&waker);
        quietly("a wake of a task", || driven.task.wake_by_ref());
        assert_eq!(hostile.wakes(), 2);
        driven.sleep(&waker);
        quietly("another poll", || driven.executor.poll());
        quietly("a cancelled task", || driven.executor.cancel_all());
        assert_eq!(hostile.wakes(), 3);
        driven.sleep_when_empty(&waker);
        quietly("the end", || drop(driven));
        assert_eq!(hostile.wakes(), 4, "the driver finds that no task is left");
        none_is_left(&hostile, waker);
    }
}

impl Driven {
    fn sleep_when_empty(&mut self, waker: &Waker) {
        assert!(self.executor.poll_in(&Context::from_waker(waker)).is_ready());
    }
}

#[test]
fn a_driver_whose_drop_panics_is_replaced() {
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let mut driven = Driven::new();
    driven.sleep(&waker);
    hostile.panics_on(&[Step::Drop]);
    quietly("another driver", || driven.hears());
    driven.sleep(&waker);
    quietly("a caller that drains", || {
        driven.executor.cancel_all();
        driven.executor.drain();
    });
    driven.sleep_when_empty(&waker);
    quietly("the end", || drop(driven));
    none_is_left(&hostile, waker);
}

#[test]
fn a_driver_may_use_its_executor_from_its_waker() {
    for steps in [&[Step::Clone][..], &WAKES, &[Step::Drop]] {
        let hostile = Hostile::default();
        let waker = hostile.waker();
        let mut driven = Driven::new();
        let acted = Rc::new(RefCell::new(0));
        hostile.on(
            steps,
            here({
                let (spawner, task) = (driven.executor.spawner(), driven.task.clone());
                let acted = Rc::clone(&acted);
                move || {
                    *acted.borrow_mut() += 1;
                    if *acted.borrow() == 1 {
                        task.wake_by_ref();
                        let sent = task.clone();
                        thread::spawn(move || sent.wake()).join().expect("no panic");
                        spawner.spawn(pending::<()>()).abort();
                    }
                }
            }),
        );
        driven.sleep_or_go_on(&waker);
        driven.task.wake_by_ref();
        driven.sleep_or_go_on(Waker::noop());
        assert!(*acted.borrow() > 0, "{steps:?}");
        while driven.executor.has_ready() {
            driven.executor.poll();
        }
        assert_eq!(driven.executor.task_count(), 1);
        driven.hears();
        forget_here();
        drop(driven);
        none_is_left(&hostile, waker);
    }
}

impl Driven {
    fn sleep_or_go_on(&mut self, waker: &Waker) {
        let _has_tasks = self.executor.poll_in(&Context::from_waker(waker));
    }
}

/// Threads that wake a driver while it is replaced, by wakers that panic now and then.
#[test]
fn a_driver_under_fire_from_other_threads_is_never_deaf() {
    const ROUNDS: usize = rounds(2_000);
    let hostile = Hostile::default();
    hostile.panics_on(&WAKES);
    let mut driven = Driven::new();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let task = driven.task.clone();
            thread::spawn(move || (0..ROUNDS).for_each(|_| task.wake_by_ref()))
        })
        .collect();
    let waker = hostile.waker();
    for _ in 0..ROUNDS {
        // The driver itself is woken on the spot where there is more to do, which panics, too.
        let _slept = caught(|| driven.sleep_or_go_on(&waker));
    }
    for thread in threads {
        thread.join().expect("no panic of the driver's waker");
    }
    driven.executor.poll();
    driven.hears();
    drop(driven);
    none_is_left(&hostile, waker);
}
