//! What handles promise: aborts, results, and tasks that await one another.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::tests::{Drops, busy, outcome, parked};
use super::{AbortHandle, Executor, JoinHandle, Spawner};
use crate::sync::{Arc, mpsc, rounds, thread};

#[test]
fn abort_drops_a_parked_future_within_a_cycle() {
    for from_elsewhere in [false, true] {
        let (drops, wakers) = (Drops::default(), Arc::default());
        let mut executor = Executor::new(1);
        let handle = executor.spawn(parked(&wakers, drops.one()));
        executor.poll();
        let handle = if from_elsewhere {
            let aborted = thread::spawn(move || {
                handle.abort();
                handle
            });
            aborted.join().expect("no panic")
        } else {
            handle.abort();
            handle
        };
        assert_eq!((drops.count(), handle.is_finished()), (0, false));
        assert_eq!(executor.poll(), 1);
        assert_eq!((drops.count(), handle.is_finished()), (1, true));
        assert!(outcome(handle).is_err_and(|error| error.is_cancelled()));
    }
}

#[test]
fn a_task_that_aborts_itself_is_not_polled_again() {
    let mut executor = Executor::new(1);
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let task = {
        let (own, polls) = (Rc::clone(&own), Rc::clone(&polls));
        poll_fn(move |_| {
            polls.set(polls.get() + 1);
            own.borrow().as_ref().expect("the handle was stored").abort();
            Poll::Pending
        })
    };
    *own.borrow_mut() = Some(executor.spawn(task));
    assert_eq!(executor.poll(), 1);
    assert_eq!((polls.get(), executor.has_ready()), (1, false));
    let handle = own.borrow_mut().take().expect("the handle was stored");
    assert!(outcome(handle).is_err_and(|error| error.is_cancelled()));
}

#[test]
fn an_aborted_task_does_not_wait_for_its_turn() {
    for from_elsewhere in [false, true] {
        let drops = Drops::default();
        let mut executor = Executor::builder().tasks_per_cycle(1).build();
        let parked = executor.spawn(parked(&Arc::default(), drops.one()));
        executor.poll();
        for _ in 0..10 {
            executor.spawn_boxed(busy(Rc::default()));
        }
        if from_elsewhere {
            thread::spawn(move || parked.abort()).join().expect("no panic");
        } else {
            parked.abort();
        }
        assert_eq!((executor.poll(), drops.count()), (1, 1));
    }
}

#[test]
fn tasks_that_awaited_one_another_do_not_keep_each_other() {
    let mut executor = Executor::new(2);
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let task = {
        let own = Rc::clone(&own);
        async move {
            // The task polls its own handle, and drops it.
            let mut handle = own.borrow_mut().take().expect("the handle was stored");
            poll_fn(|cx| {
                assert!(Pin::new(&mut handle).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
    };
    *own.borrow_mut() = Some(executor.spawn(task));
    assert_eq!(executor.poll(), 1);
    let claims = [executor.try_claim_slab(), executor.try_claim_slab()];
    assert!(claims.iter().all(Option::is_some));
}

#[test]
fn a_chain_of_tasks_ends_without_recursion() {
    const LENGTH: usize = rounds(20_000);
    fn chain(spawner: Spawner, n: usize) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            if n > 0 {
                let _ = spawner.spawn(chain(spawner.clone(), n - 1)).await;
            } else {
                pending::<()>().await;
            }
        })
    }
    let body = || {
        let mut executor = Executor::new(16);
        executor.spawn_boxed(chain(executor.spawner(), LENGTH));
        while executor.poll() > 0 || executor.has_ready() {}
        assert_eq!(executor.task_count(), LENGTH + 1);
    };
    let small = thread::Builder::new().stack_size(256 * 1024).spawn(body);
    small.expect("a thread").join().expect("no overflow");
}

#[test]
fn an_abort_after_the_end_leaves_the_result() {
    let mut executor = Executor::new(1);
    let handle = executor.spawn(ready(7));
    executor.poll();
    handle.abort();
    executor.poll();
    assert_eq!(outcome(handle).ok(), Some(7));
}

#[test]
fn an_abort_handle_works_after_the_handle_and_the_executor() {
    let (drops, wakers) = (Drops::default(), Arc::default());
    let mut executor = Executor::new(1);
    let remote = executor.remote_spawner();
    let with = drops.one();
    let sent = remote.spawn_with(move || async move {
        pending::<()>().await;
        drop(with);
    });
    let handles =
        [executor.spawn(parked(&wakers, drops.one())).abort_handle(), sent.abort_handle()];
    assert_eq!(handles[1].id(), sent.id());
    assert_ne!(handles[0].id(), handles[1].id());
    executor.poll();
    let aborting = handles.clone();
    thread::spawn(move || aborting.iter().for_each(AbortHandle::abort)).join().expect("no panic");
    assert!(!handles.iter().any(AbortHandle::is_finished));
    assert_eq!((executor.poll(), drops.count()), (2, 2));
    assert!(handles.iter().all(AbortHandle::is_finished));
    assert!(outcome(sent).is_err_and(|error| error.is_cancelled()));
    assert!(executor.try_claim_slab().is_none(), "the abort handle keeps the slot");
    drop(executor);
    handles[0].abort();
    thread::spawn(move || drop(handles)).join().expect("no panic");
}

#[test]
fn ids_are_unique_and_find_tasks_of_any_origin() {
    let mut executor = Executor::new(2);
    let remote = executor.remote_spawner();
    let sent: Vec<_> =
        (0..2).map(|_| remote.spawn_with(|| async { pending::<()>().await })).collect();
    let own: Vec<_> = (0..2).map(|_| executor.spawn(pending::<()>())).collect();
    let ids: HashSet<_> = sent.iter().chain(&own).map(JoinHandle::id).collect();
    assert_eq!(ids.len(), 4);
    // The first task is still in the inbox.
    assert!(executor.cancel(sent[0].id()) && !executor.cancel(sent[0].id()));
    executor.poll();
    assert!(executor.cancel(sent[1].id()) && executor.cancel(own[1].id()));
    assert_eq!(sent.iter().chain(&own).filter(|task| task.is_finished()).count(), 3);
    assert!(!Executor::new(1).cancel(own[0].id()));
    let spawner = executor.spawner();
    drop(executor);
    let late = [spawner.spawn_boxed(ready(())), spawner.spawn_boxed(ready(()))];
    assert!(late[0] != late[1] && late.iter().all(|id| !ids.contains(id)));
}

#[test]
fn drain_ends_with_the_last_task() {
    let (done, (sender, receiver)) = (Rc::new(Cell::new(0)), mpsc::channel::<Waker>());
    let mut executor = Executor::new(1);
    let (spawner, count) = (executor.spawner(), Rc::clone(&done));
    let mut is_woken = false;
    executor.spawn_boxed(async move {
        // Pending until another thread wakes it.
        poll_fn(|cx| {
            if std::mem::replace(&mut is_woken, true) {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).expect("the receiver is alive");
            Poll::Pending
        })
        .await;
        // A task that was made late counts, too.
        spawner.spawn_boxed(async move { count.set(count.get() + 1) });
    });
    let waking = thread::spawn(move || receiver.iter().for_each(Waker::wake));
    executor.drain();
    assert_eq!((done.get(), executor.task_count()), (1, 0));
    waking.join().expect("no panic");
    executor.drain();
}
