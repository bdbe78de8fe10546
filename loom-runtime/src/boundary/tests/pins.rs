//! A thread that gives a value back stays pinned to the library whose code it still has to leave.

use std::future::{pending, poll_fn};
use std::task;

use loom_abi::{Future, Runtime, Status};

use crate::boundary::waker::foreign::Foreign;
use crate::boundary::{ForeignJob, pin};
use crate::sync::{Arc, Mutex};

use super::by_hand::{drop_future, elsewhere, host};
use super::{Counting, pair};

/// Whether a new thread is pinned once it has done this with the value.
fn pins<T>(value: T, f: impl FnOnce(T) + Send) -> bool {
    elsewhere(value, |value| {
        assert!(!pin::stays(), "the thread is new");
        f(value);
        pin::stays()
    })
}

#[test]
fn whoever_ends_a_future_a_job_or_a_task_stays() {
    let (fake, host) = pair();
    for is_polled in [false, true] {
        let task = host.spawn(poll_fn(|_| task::Poll::Ready(()))).expect("it is taken");
        let mut future = fake.futures.lock().expect("not poisoned").pop().expect("it was spawned");
        if is_polled {
            let mut cx = task::Context::from_waker(task::Waker::noop());
            assert!(std::pin::Pin::new(&mut future).poll(&mut cx).is_ready());
        }
        assert!(pins(future, drop));
        assert!(pins(task, drop));
        host.compute(|| (), 1);
        let job = fake.jobs.lock().expect("not poisoned").pop().expect("it was queued");
        let end = |job: ForeignJob| {
            if is_polled {
                job.run();
            }
        };
        assert!(pins(job, end));
    }
}

/// Also where another thread may give up the last count meanwhile.
#[test]
fn whoever_gives_up_any_count_of_a_waker_stays() {
    let counting = Arc::new(Counting::default());
    let foreign = Foreign::lower(task::Waker::from(counting));
    let [one, other] = [(); 2].map(|()| foreign.with(task::Waker::clone));
    assert!(!pins(&one, |one: &task::Waker| one.wake_by_ref()), "it has given up nothing");
    assert!(pins(one, drop));
    drop(foreign);
    assert!(pins(other, task::Waker::wake), "the last one");
}

#[test]
fn whoever_ends_what_was_lent_stays() {
    static PINNED: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    unsafe extern "C" fn block_on(_: *const Runtime, future: Future) -> Status {
        let is_pinned = pins(future, |future| assert_eq!(drop_future(&future), Status::REFUSED));
        PINNED.lock().expect("not poisoned").push(is_pinned);
        Status::DONE
    }
    let (_fake, host) = host(|table| table.block_on = block_on);
    assert_eq!(host.block_on(pending()), Status::DONE);
    assert_eq!(*PINNED.lock().expect("not poisoned"), [true]);
}
