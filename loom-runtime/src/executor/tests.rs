//! What an executor promises, one test for each promise.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};

use super::{Executor, JoinHandle, Spawner};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, mpsc, rounds, thread};

/// Counts its drops.
#[derive(Clone, Default)]
pub(super) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn one(&self) -> Dropped {
        Dropped(self.clone())
    }
}

pub(super) struct Dropped(Drops);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future that is never ready, and that stores its waker at each poll.
pub(super) fn parked(
    wakers: &Arc<Mutex<Vec<Waker>>>,
    with: Dropped,
) -> impl Future<Output = ()> + use<> {
    let wakers = Arc::clone(wakers);
    poll_fn(move |cx| {
        let _is_kept = &with;
        wakers.lock().expect("no panic").push(cx.waker().clone());
        Poll::Pending
    })
}

/// A future that is never ready, and that wakes itself at each poll.
pub(super) async fn busy(polls: Rc<Cell<usize>>) {
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(super) fn outcome<T>(mut handle: JoinHandle<T>) -> Result<T, super::JoinError> {
    match poll_once(&mut handle) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the task has not completed"),
    }
}

#[test]
fn a_poll_limit_leaves_everyone_a_turn() {
    for (tasks, limit) in [(10, 3), (7, 7), (5, 100), (100, 1)] {
        let mut executor = Executor::new(tasks);
        executor.set_tasks_per_cycle(limit);
        let polls: Vec<_> = (0..tasks).map(|_| Rc::new(Cell::new(0))).collect();
        for polls in &polls {
            executor.spawn_slab(busy(Rc::clone(polls))).expect("there is room");
        }
        for round in 1..=20 {
            for _ in 0..tasks.div_ceil(limit) {
                executor.poll();
            }
            assert!(
                polls.iter().all(|polls| polls.get() >= round),
                "{tasks} tasks, {limit} a cycle"
            );
        }
    }
}

#[test]
fn a_cycle_polls_each_task_once_at_most() {
    let mut executor = Executor::new(1);
    let polls = Rc::new(Cell::new(0));
    executor.spawn_boxed(busy(Rc::clone(&polls)));
    assert_eq!(executor.poll(), 0);
    assert_eq!((polls.get(), executor.has_ready(), executor.task_count()), (1, true, 1));
}

#[test]
fn tasks_complete_in_the_order_in_which_they_came() {
    let mut executor = Executor::new(2);
    let order = Rc::new(RefCell::new(Vec::new()));
    for i in 0..5 {
        let order = Rc::clone(&order);
        // Two in slots, three on the heap.
        drop(executor.spawn(async move { order.borrow_mut().push(i) }));
    }
    assert_eq!(executor.poll(), 5);
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
    assert_eq!((executor.task_count(), executor.has_ready()), (0, false));
}

#[test]
fn wakers_work_from_any_thread_and_at_any_time() {
    let (drops, wakers) = (Drops::default(), Arc::default());
    let mut executor = Executor::new(1);
    executor.spawn_slab(parked(&wakers, drops.one())).expect("there is room");
    executor.spawn_boxed(parked(&wakers, drops.one()));
    executor.poll();
    assert!(!executor.has_ready());
    let elsewhere = Arc::clone(&wakers);
    let wake_all = move || elsewhere.lock().expect("no panic").iter().for_each(Waker::wake_by_ref);
    thread::spawn(wake_all.clone()).join().expect("no panic");
    assert!(executor.has_ready());
    executor.poll();
    assert_eq!(wakers.lock().expect("no panic").len(), 4, "both were polled again");

    executor.cancel_all();
    assert_eq!(drops.count(), 2);
    thread::spawn(wake_all.clone()).join().expect("no panic");
    wake_all();
    executor.poll();
    drop(executor);
    thread::spawn(wake_all.clone()).join().expect("no panic");
    wake_all();
    // The last wakers are used on another thread.
    let last = std::mem::take(&mut *wakers.lock().expect("no panic"));
    thread::spawn(move || last.into_iter().for_each(Waker::wake)).join().expect("no panic");
    assert_eq!(drops.count(), 2);
}

#[test]
fn who_sleeps_is_told_what_others_do_with_the_executor() {
    let mut executor = Executor::new(2);
    let wakes = Arc::new(AtomicUsize::new(0));
    let driver = Waker::from(Arc::new(Counts(Arc::clone(&wakes))));
    let cx = Context::from_waker(&driver);
    executor.spawn_slab(pending::<()>()).expect("there is room");
    assert!(executor.poll_in(&cx).is_pending());
    let before = wakes.load(Ordering::SeqCst);
    executor.cancel_all();
    assert_eq!(wakes.load(Ordering::SeqCst), before + 1);
    assert!(executor.poll_in(&cx).is_ready());
    // Another caller drains the executor; it takes this driver's place while it sleeps.
    assert!(executor.poll_in(&cx).is_ready());
    let before = wakes.load(Ordering::SeqCst);
    executor.drain();
    assert_eq!(wakes.load(Ordering::SeqCst), before + 1);
    // Another caller polls the executor, which has more to do afterwards.
    executor.set_tasks_per_cycle(1);
    assert!(executor.poll_in(&cx).is_ready());
    let before = wakes.load(Ordering::SeqCst);
    executor.spawn_boxed(busy(Rc::default()));
    executor.poll();
    assert_eq!(wakes.load(Ordering::SeqCst), before + 1);
}

struct Counts(Arc<AtomicUsize>);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_stale_id_does_nothing() {
    let drops = Drops::default();
    let mut executor = Executor::new(1);
    let stale = executor.spawn_slab(ready(())).expect("there is room");
    executor.poll();
    // This task has the same slot and the same place in the table.
    let fresh = executor.spawn_slab(parked(&Arc::default(), drops.one())).expect("there is room");
    let mut other = Executor::new(1);
    let elsewhere = other.spawn_slab(ready(())).expect("there is room");
    assert!(!executor.cancel(stale) && !executor.cancel(elsewhere) && !other.cancel(fresh));
    assert_eq!((drops.count(), executor.task_count(), other.task_count()), (0, 1, 1));
    assert!(executor.cancel(fresh));
    assert_eq!((drops.count(), executor.task_count()), (1, 0));
    assert!(!executor.cancel(fresh));
}

#[test]
fn a_panic_is_an_error_and_others_go_on() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let mut executor = Executor::new(8);
    let in_poll = executor.spawn(async { panic!("in poll") });
    let text = |error: super::JoinError| {
        assert!(error.is_panic() && !error.is_cancelled());
        error.to_string()
    };
    let (first, second) = (PanicsInDrop, PanicsInDrop);
    let in_drop = executor.spawn(poll_fn(move |_| {
        let _is_kept = &first;
        Poll::Ready(7)
    }));
    let cancelled = executor.spawn(async move {
        pending::<()>().await;
        drop(second);
    });
    // The results of these tasks are dropped.
    drop(executor.spawn(async { PanicsInDrop }));
    let unwanted = executor.spawn(async { PanicsInDrop });
    let last = executor.spawn(ready(8));
    assert_eq!(executor.poll(), 5);
    drop(unwanted);
    assert!(executor.cancel(cancelled.id()));
    assert_eq!(outcome(in_poll).map_err(text), Err("the task panicked: in poll".to_owned()));
    assert_eq!(outcome(in_drop).map_err(text), Err("the task panicked: in drop".to_owned()));
    assert_eq!(outcome(cancelled).map_err(text), Err("the task panicked: in drop".to_owned()));
    assert_eq!(outcome(last).ok(), Some(8));
}

#[test]
fn a_waker_that_panics_does_no_harm() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("in wake");
        }
    }
    let mut executor = Executor::new(2);
    let mut first = executor.spawn(ready(7));
    let second = executor.spawn(ready(8));
    let waker = Waker::from(Arc::new(Panics));
    assert!(Pin::new(&mut first).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(executor.poll(), 2);
    assert_eq!((outcome(first).ok(), outcome(second).ok()), (Some(7), Some(8)));
}

#[test]
fn the_end_drops_each_future_once() {
    let (drops, wakers) = (Drops::default(), Arc::default());
    let mut executor = Executor::builder().slots(8).build();
    let (spawner, remote) = (executor.spawner(), executor.remote_spawner());
    let handles: Vec<_> = (0..12).map(|_| executor.spawn(parked(&wakers, drops.one()))).collect();
    executor.poll();
    // Some tasks are in the owner's queue, some in the inbox, some are aborted as well, and some
    // are functions that the owner has not taken from the inbox.
    let some: Vec<_> = wakers.lock().expect("no panic").iter().step_by(3).cloned().collect();
    some.iter().for_each(Waker::wake_by_ref);
    let others: Vec<_> = wakers.lock().expect("no panic")[1..].iter().step_by(3).cloned().collect();
    thread::spawn(move || others.into_iter().for_each(Waker::wake)).join().expect("no panic");
    handles.iter().step_by(4).for_each(JoinHandle::abort);
    let sent = {
        let (drops, remote) = (drops.clone(), remote.clone());
        let send = move |_| {
            let with = drops.one();
            remote.spawn_with(move || async move { drop(with) })
        };
        thread::spawn(move || (0..3).map(send).collect::<Vec<_>>()).join().expect("no panic")
    };
    let held = spawner.clone();
    executor.spawn_boxed(async move {
        // A task that holds the shared state, which holds the task.
        let _held = held;
        pending::<()>().await;
    });
    let drops_in_drop = drops.one();
    let late = executor.spawner();
    executor.spawn_boxed(SpawnsInDrop(late, Some(drops_in_drop)));
    drop(executor);
    assert_eq!(drops.count(), 16);
    for handle in handles {
        assert!(outcome(handle).is_err_and(|error| error.is_cancelled()));
    }
    for handle in sent {
        assert!(outcome(handle).is_err_and(|error| error.is_cancelled()));
    }
    wakers.lock().expect("no panic").iter().for_each(Waker::wake_by_ref);

    // Tasks that are made after the end.
    assert!(outcome(spawner.spawn(ready(()))).is_err_and(|error| error.is_cancelled()));
    assert!(spawner.try_claim_slab().is_none() && spawner.spawn_slab(ready(())).is_err());
    let with = drops.one();
    let sent = thread::spawn(move || remote.spawn_with(move || async move { drop(with) }));
    let sent = sent.join().expect("no panic");
    assert!(outcome(sent).is_err_and(|error| error.is_cancelled()));
    assert_eq!(drops.count(), 17);
}

/// A future that is never ready, and that makes a task when it is dropped.
struct SpawnsInDrop(Spawner, Option<Dropped>);

impl Future for SpawnsInDrop {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let with = self.1.take();
        drop(self.0.spawn(async move { drop(with) }));
    }
}

#[test]
fn a_driver_that_sleeps_is_woken() {
    const ROUNDS: usize = rounds(20_000);
    let rounds = std::env::var("LOOM_LOCAL_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let (sender, wakers) = mpsc::channel::<Waker>();
    // Wakes each waker that it receives, on another thread.
    let waking = thread::spawn(move || wakers.iter().for_each(Waker::wake));
    let mut executor = Executor::new(1);
    let mut left: usize = rounds;
    let mut is_woken = true;
    executor
        .spawn_slab(poll_fn(move |cx| {
            if std::mem::replace(&mut is_woken, false) {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                is_woken = true;
                sender.send(cx.waker().clone()).expect("the receiver is alive");
            }
            Poll::Pending
        }))
        .expect("there is room");
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut run = pin!(executor.run());
    while run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
    waking.join().expect("no panic");
}

struct Unparks(thread::Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
