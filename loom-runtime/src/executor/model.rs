//! An executor, its wakers, its handles and its end, under the model checker.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

use loom_model::cell::UnsafeCell;
use loom_model::sync::atomic::{AtomicUsize, Ordering};
use loom_model::sync::{Arc, Mutex, Notify};
use loom_model::thread;

use super::{Executor, JoinHandle};
use crate::sync::Arc as StdArc;
use crate::sync::explore::{explore, reach};

/// Wakes a thread of the model. Wakers need an `Arc` of std, so the model's `Arc` is inside.
struct Waking(Arc<Notify>);

impl Wake for Waking {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

/// Runs the future on this thread, which sleeps between polls.
fn block_on<F: Future>(future: F) -> F::Output {
    let notify = Arc::new(Notify::new());
    let waker = Waker::from(StdArc::new(Waking(Arc::clone(&notify))));
    let mut future = pin!(future);
    for polls in 0.. {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                reach(if polls == 0 { "ready at once" } else { "woken" });
                return result;
            }
            Poll::Pending => notify.wait(),
        }
    }
    unreachable!("it polls without end")
}

/// Counts its drop.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Pending until another thread has set the flag and woken it; returns its argument.
fn flagged<T: Unpin>(
    flag: &Arc<AtomicUsize>,
    wakers: &Arc<Mutex<Vec<Waker>>>,
    result: T,
) -> impl Future<Output = T> + use<T> {
    let (flag, wakers) = (Arc::clone(flag), Arc::clone(wakers));
    let mut result = Some(result);
    poll_fn(move |cx| {
        wakers.lock().expect("no panic").push(cx.waker().clone());
        // Relaxed: the executor has to make the writes before a wake visible to the poll.
        if flag.load(Ordering::Relaxed) == 1 {
            return Poll::Ready(result.take().expect("it is not polled again"));
        }
        Poll::Pending
    })
}

#[test]
fn a_wake_from_elsewhere_is_never_lost() {
    explore(3, &["woken"], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let mut executor = Executor::new(1);
        let handle = executor.spawn(flagged(&flag, &wakers, 7));
        executor.poll();
        let waker: Vec<Waker> = std::mem::take(&mut *wakers.lock().expect("no panic"));
        let waking = thread::spawn(move || {
            flag.store(1, Ordering::Relaxed);
            waker.into_iter().for_each(Waker::wake);
        });
        assert_eq!(block_on(executor.run_until(handle)).ok(), Some(7));
        waking.join().expect("no panic");
    });
}

#[test]
fn two_wakers_and_a_poll_make_one_entry() {
    explore(3, &["ready at once", "woken"], || {
        let flags = [0, 1].map(|_| Arc::new(AtomicUsize::new(0)));
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let mut executor = Executor::new(1);
        let [one, other] = flags.clone().map(|flag| flagged(&flag, &wakers, ()));
        let mut both = [Some(Box::pin(one)), Some(Box::pin(other))];
        let task = poll_fn(move |cx| {
            for future in &mut both {
                if future.as_mut().is_some_and(|future| future.as_mut().poll(cx).is_ready()) {
                    *future = None;
                }
            }
            if both.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        });
        executor.spawn_slab(task).expect("there is room");
        executor.poll();
        let waker = wakers.lock().expect("no panic").pop().expect("it was polled");
        let threads = flags.map(|flag| {
            let waker = waker.clone();
            thread::spawn(move || {
                flag.store(1, Ordering::Relaxed);
                waker.wake();
            })
        });
        block_on(executor.run());
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert!(executor.poll() == 0 && executor.task_count() == 0);
    });
}

#[test]
fn a_result_goes_to_a_handle_elsewhere_once() {
    explore(3, &["ready at once", "woken"], || {
        let drops = Arc::new(AtomicUsize::new(0));
        let mut executor = Executor::new(1);
        let result = Dropped(Arc::clone(&drops));
        let handle = executor.spawn(std::future::ready(result));
        let waiting = thread::spawn(move || block_on(handle).is_ok());
        executor.poll();
        assert!(waiting.join().expect("no panic"));
        drop(executor);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_handle_that_changes_its_waker_and_goes_leaves_nothing() {
    explore(3, &[], || {
        let drops = Arc::new(AtomicUsize::new(0));
        let mut executor = Executor::new(1);
        let result = Dropped(Arc::clone(&drops));
        let mut handle = executor.spawn(std::future::ready(result));
        let waiting = thread::spawn(move || {
            for _ in 0..2 {
                let waker = Waker::from(StdArc::new(Waking(Arc::new(Notify::new()))));
                if Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_ready() {
                    return;
                }
            }
        });
        executor.poll();
        waiting.join().expect("no panic");
        drop(executor);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_abort_from_elsewhere_drops_the_future_once() {
    explore(3, &["ready at once", "woken"], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let drops = Arc::new(AtomicUsize::new(0));
        let mut executor = Executor::new(1);
        let handle = executor.spawn(flagged(&flag, &wakers, Dropped(Arc::clone(&drops))));
        let aborting = thread::spawn(move || {
            handle.abort();
            handle
        });
        block_on(executor.run());
        let handle: JoinHandle<Dropped> = aborting.join().expect("no panic");
        assert!(handle.is_finished());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_abort_handle_outlives_task_handle_and_executor() {
    explore(3, &[], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let drops = Arc::new(AtomicUsize::new(0));
        let mut executor = Executor::new(1);
        let handle = executor.spawn(flagged(&flag, &wakers, Dropped(Arc::clone(&drops))));
        let abort = handle.abort_handle();
        let aborting = thread::spawn(move || {
            abort.abort();
            abort.is_finished()
        });
        executor.poll();
        drop(handle);
        drop(executor);
        aborting.join().expect("no panic");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn the_end_meets_a_wake_an_abort_and_a_late_comer() {
    explore(3, &["ready at once", "woken"], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let drops = Arc::new(AtomicUsize::new(0));
        let mut executor = Executor::new(1);
        let remote = executor.remote_spawner();
        let handle = executor.spawn(flagged(&flag, &wakers, Dropped(Arc::clone(&drops))));
        executor.poll();
        let waker = wakers.lock().expect("no panic").pop().expect("it was polled");
        let waking = thread::spawn(move || {
            waker.wake();
            handle.abort();
        });
        let late = Dropped(Arc::clone(&drops));
        let sending = thread::spawn(move || {
            let late = remote.spawn_with(move || async move { drop(late) });
            block_on(late).is_err_and(|error| error.is_cancelled())
        });
        drop(executor);
        waking.join().expect("no panic");
        assert!(sending.join().expect("no panic"));
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

/// The last waker of a task goes on another thread, and the task's slot with it, which the executor
/// uses again.
#[test]
fn a_slot_that_comes_back_from_elsewhere_is_used_again() {
    explore(3, &["is full", "there is room"], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let mut executor = Executor::new(1);
        executor.spawn_slab(flagged(&flag, &wakers, ())).expect("there is room");
        executor.poll();
        let waker = wakers.lock().expect("no panic").pop().expect("it was polled");
        flag.store(1, Ordering::Relaxed);
        waker.wake_by_ref();
        executor.poll();
        wakers.lock().expect("no panic").clear();
        let dropping = thread::spawn(move || drop(waker));
        thread::yield_now();
        let is_placed = executor.spawn_slab(std::future::ready(())).is_ok();
        reach(if is_placed { "there is room" } else { "is full" });
        executor.poll();
        dropping.join().expect("no panic");
    });
}

/// Looks at a cell when it is dropped: the checker reports a thread that is still writing it.
struct Looks(Arc<UnsafeCell<()>>);

impl Drop for Looks {
    fn drop(&mut self) {
        self.0.with(|_| ());
    }
}

#[test]
fn the_drop_of_an_aborted_future_sees_what_came_before_the_abort() {
    explore(3, &["is aborted", "is aborted later"], || {
        let (flag, wakers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let cell = Arc::new(UnsafeCell::new(()));
        let mut executor = Executor::new(1);
        let looks = Looks(Arc::clone(&cell));
        let future = flagged(&flag, &wakers, ());
        let handle = executor.spawn(async move {
            let _looks = looks;
            future.await;
        });
        let aborting = thread::spawn(move || {
            cell.with_mut(|_| ());
            handle.abort();
            handle
        });
        thread::yield_now();
        executor.poll();
        let handle = aborting.join().expect("no panic");
        reach(if handle.is_finished() { "is aborted" } else { "is aborted later" });
    });
}
