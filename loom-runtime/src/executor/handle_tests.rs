//! What handles promise: aborts, results, and tasks that await one another.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use super::tests::{Drops, busy, outcome, parked};
use super::{Executor, JoinHandle, Spawner};
use crate::sync::{Arc, thread};

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
        executor.spawn_boxed(chain(executor.spawner(), 20_000));
        while executor.poll() > 0 || executor.has_ready() {}
        assert_eq!(executor.task_count(), 20_001);
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
