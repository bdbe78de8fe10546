//! A host that keeps to the rules, and does the most unusual things that these allow; and what is
//! refused where a host does not keep to them.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::task::{self, Waker};

use loom_abi::{Call, Future, Guest, Job, Poll, Runtime, Status, Task};

use crate::boundary::HostRef;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Barrier, Mutex};

use super::by_hand::{HandWaker, Sent, drop_future, elsewhere, host};
use super::{Counted, pair};

/// Polls a future to its end, each time on a new thread and with a new waker, and drops it on one
/// more. Returns how often it was polled.
fn polls_all_over(future: Future) -> u32 {
    let mut polls = 1;
    while elsewhere(future, |future| HandWaker::new_poll(&future)) == Poll::PENDING {
        polls += 1;
    }
    assert_eq!(elsewhere(future, |future| drop_future(&future)), Status::DONE);
    polls
}

/// The task ends before its handle is there; an abort of it comes much later.
unsafe extern "C" fn spawn_at_once(_: *const Runtime, future: Future, place: *mut Task) -> Status {
    unsafe extern "C" fn nothing(_: *const ()) {}
    assert_eq!(polls_all_over(future), 5);
    let task = Task { data: std::ptr::null(), abort: nothing, release: nothing };
    // SAFETY: X4, there is a place for a task.
    unsafe { place.write(task) };
    Status::DONE
}

#[test]
fn a_task_may_end_on_other_threads_before_its_handle_is_there() {
    let (_fake, host) = host(|table| table.spawn = spawn_at_once);
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Counted(Arc::clone(&drops));
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let (mut polls, keeps) = (0, Arc::clone(&kept));
    let task = host.spawn(async move {
        let _held = held;
        poll_fn(|cx| {
            keeps.lock().expect("not poisoned").push(cx.waker().clone());
            polls += 1;
            if polls == 5 { task::Poll::Ready(()) } else { task::Poll::Pending }
        })
        .await;
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    task.expect("it was spawned").abort();
    // Wakers outlive the future, the task and the host, on whichever thread.
    drop(host);
    let kept = std::mem::take(&mut *kept.lock().expect("not poisoned"));
    assert_eq!(kept.len(), 5);
    elsewhere(kept, |kept| kept.into_iter().for_each(Waker::wake));
}

thread_local! {
    /// The future of the task that is polled on this thread.
    static POLLED: Cell<Option<Future>> = const { Cell::new(None) };
    static DROPPED: Cell<Option<Status>> = const { Cell::new(None) };
}

/// Takes a future of this side, as a host by hand has it.
fn lowered(future: impl std::future::Future<Output = ()> + Send + 'static) -> Future {
    unsafe extern "C" fn keep(_: *const Runtime, future: Future, _: *mut Task) -> Status {
        POLLED.set(Some(future));
        Status::SHUT_DOWN
    }
    let (_fake, host) = host(|table| table.spawn = keep);
    assert_eq!(host.spawn(future).err(), Some(Status::SHUT_DOWN));
    POLLED.take().expect("the host has kept it")
}

#[test]
fn a_poll_or_a_drop_within_a_poll_is_refused_and_harms_nothing() {
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Counted(Arc::clone(&drops));
    let polls = Arc::new(AtomicUsize::new(0));
    let (mut text, counted) = (String::from("kept"), Arc::clone(&polls));
    // No `async` block, which would panic in the inner poll by itself.
    let future = lowered(poll_fn(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let this = POLLED.take().expect("it is polled once");
        text.push_str(" while");
        // What a waker that polls at once does, and an abort that drops at once.
        assert_eq!(HandWaker::new_poll(&this), Poll::PANICKED);
        assert_eq!(drop_future(&this), Status::REFUSED);
        text.push_str(" it was polled");
        assert_eq!(text, "kept while it was polled");
        let _held = &held;
        task::Poll::Ready(())
    }));
    POLLED.set(Some(future));
    assert_eq!(HandWaker::new_poll(&future), Poll::READY);
    assert_eq!((polls.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (1, 0));
    // The refused drop has left it.
    assert_eq!(drop_future(&future), Status::DONE);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_poll_or_a_drop_within_a_drop_is_refused() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            let this = POLLED.take().expect("it is dropped once");
            assert_eq!(HandWaker::new_poll(&this), Poll::PANICKED);
            DROPPED.set(Some(drop_future(&this)));
        }
    }
    let again = Again;
    let future = lowered(async move {
        let _again = again;
        pending::<()>().await;
    });
    POLLED.set(Some(future));
    assert_eq!(drop_future(&future), Status::DONE);
    assert_eq!(DROPPED.take(), Some(Status::REFUSED));
}

#[test]
fn a_panic_ends_a_future_and_leaves_its_turn() {
    let future = lowered(async { panic!("in a poll") });
    assert_eq!(HandWaker::new_poll(&future), Poll::PANICKED);
    assert_eq!(drop_future(&future), Status::DONE);
}

#[test]
fn a_waker_by_hand_is_counted_however_it_is_used() {
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let future = lowered(async move {
        poll_fn(|cx| {
            // A clone of a clone, and one that is dropped within the poll.
            let clone = cx.waker().clone();
            clone.wake_by_ref();
            keeps.lock().expect("not poisoned").extend([clone.clone(), clone.clone()]);
            task::Poll::<()>::Pending
        })
        .await;
    });
    let waker = HandWaker::new();
    for _ in 0..3 {
        let polled = elsewhere((waker, future), |(waker, future)| waker.poll(&future));
        assert_eq!(polled, Poll::PENDING);
    }
    assert_eq!(drop_future(&future), Status::DONE);
    let mut kept = std::mem::take(&mut *kept.lock().expect("not poisoned"));
    assert_eq!(waker.counts(), 7);
    assert!(kept.iter().all(|one| one.will_wake(&kept[0])));
    let last = kept.pop().expect("there are six");
    elsewhere(kept, |kept| kept.into_iter().for_each(Waker::wake));
    assert_eq!(waker.wakes(), 3 + 5);
    // The waker's maker gives up its own count; the last one is on another side.
    waker.give_up();
    elsewhere(last, drop);
}

unsafe extern "C" fn compute_at_once(_: *const Runtime, job: Job, priority: u32) -> Status {
    elsewhere(job, |job| {
        if priority == 0 {
            // SAFETY: X2, this is the one run.
            return unsafe { (job.run)(job.data) };
        }
        // SAFETY: X2, this is the one drop.
        unsafe { (job.drop)(job.data) };
        Status::QUEUE_FULL
    })
}

#[test]
fn a_job_may_run_or_be_dropped_elsewhere_before_it_is_queued() {
    let (_fake, host) = host(|table| table.compute = compute_at_once);
    let (runs, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for (priority, status, ran) in [(0, Status::DONE, 1), (1, Status::QUEUE_FULL, 0)] {
        let (counted, held) = (Arc::clone(&runs), Counted(Arc::clone(&drops)));
        let job = move || {
            let _held = held;
            counted.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(host.compute(job, priority), status);
        assert_eq!(runs.swap(0, Ordering::Relaxed), ran);
        assert_eq!(drops.swap(0, Ordering::Relaxed), 1);
    }
    assert_eq!(host.compute(|| panic!("in a job"), 0), Status::PANICKED);
}

/// Runs both calls on threads of their own, in the other order; each waits for the other.
unsafe extern "C" fn join_elsewhere(_: *const Runtime, a: Call, b: Call) -> Status {
    let run = |call: Call| {
        // SAFETY: X6, the call is lent until this function returns.
        unsafe { (call.run)(call.data) }
    };
    let a = Sent(a);
    let b = Sent(b);
    crate::sync::thread::scope(|scope| {
        let b = scope.spawn(move || run(b.take()));
        let a = scope.spawn(move || run(a.take()));
        let statuses = [a, b].map(|thread| thread.join().expect("it does not panic"));
        if statuses == [Status::DONE; 2] { Status::DONE } else { Status::PANICKED }
    })
}

#[test]
fn joined_calls_may_both_run_elsewhere_at_once() {
    let (_fake, host) = host(|table| table.join = join_elsewhere);
    let text = String::from("lent");
    let both = Barrier::new(2);
    let (status, a, b) = host.join(
        || {
            both.wait();
            text.len()
        },
        || {
            both.wait();
            text.clone()
        },
    );
    assert_eq!(status, Status::DONE);
    assert_eq!((a.and_then(Result::ok), b.and_then(Result::ok)), (Some(4), Some(text.clone())));
}

/// The host ends while the guest registers: another thread tells the guest, and a third drops it.
unsafe extern "C" fn register_late(_: *const Runtime, guest: *const Guest) -> Status {
    // SAFETY: X7, it is of this version.
    let guest = unsafe { *guest };
    // SAFETY: X2, it is told once, before the drop.
    elsewhere(guest, |guest| unsafe { (guest.leave)(guest.data) });
    // SAFETY: X2, this is the one drop.
    elsewhere(guest, |guest| unsafe { (guest.drop)(guest.data) });
    Status::SHUT_DOWN
}

#[test]
fn a_guest_may_be_told_and_dropped_on_other_threads_while_it_registers() {
    let (_fake, host) = host(|table| table.register = register_late);
    let host: Arc<HostRef> = Arc::new(host);
    let (leaves, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, held, late) =
        (Arc::clone(&leaves), Counted(Arc::clone(&drops)), Arc::clone(&host));
    let status = host.register(move || {
        let _held = &held;
        counted.fetch_add(1, Ordering::Relaxed);
        // A guest may call its host then, and is refused or not as the host likes.
        assert_eq!(late.compute_threads(), 2);
    });
    assert_eq!(status, Status::SHUT_DOWN);
    assert_eq!((leaves.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (1, 1));
    assert_eq!(Arc::strong_count(&host), 1);
}

#[test]
fn what_a_host_has_made_outlives_it_on_any_thread() {
    let (fake, host) = pair();
    let sleep = host.sleep(std::time::Duration::from_nanos(2));
    let task = host.spawn(pending()).expect("it is taken");
    drop((host, fake));
    let mut sleep = elsewhere(sleep, |mut sleep| {
        let mut cx = task::Context::from_waker(Waker::noop());
        assert!(std::pin::Pin::new(&mut sleep).poll(&mut cx).is_pending());
        sleep
    });
    let mut cx = task::Context::from_waker(Waker::noop());
    assert_eq!(std::pin::Pin::new(&mut sleep).poll(&mut cx), task::Poll::Ready(Ok(())));
    task.abort();
    elsewhere(task, |task| task.abort());
}
