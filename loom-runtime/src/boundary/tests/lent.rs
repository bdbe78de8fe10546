//! What is lent to a host stays on its thread, whatever the host does with it.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task;

use loom_abi::{Call, Future, Poll, Runtime, Status};

use crate::sync::thread::{self, ThreadId};

use super::by_hand::{HandWaker, drop_future, elsewhere, host};

thread_local! {
    /// What a test has its host do with the future of `block_on`.
    static ACT: RefCell<Option<Act>> = const { RefCell::new(None) };
}

type Act = Box<dyn FnOnce(Future) -> Status>;

/// A host's `block_on` that does what the test says.
unsafe extern "C" fn block_on(_: *const Runtime, future: Future) -> Status {
    let act = ACT.take().expect("the test has said what");
    act(future)
}

/// A value that must be used and dropped on the thread that made it.
struct Homely {
    home: ThreadId,
    /// Not `Send`.
    drops: Rc<Cell<u32>>,
}

impl Homely {
    fn new() -> (Self, Rc<Cell<u32>>) {
        let drops = Rc::new(Cell::new(0));
        (Self { home: thread::current().id(), drops: Rc::clone(&drops) }, drops)
    }

    fn is_used(&self) {
        assert_eq!(thread::current().id(), self.home);
    }
}

impl Drop for Homely {
    fn drop(&mut self) {
        self.is_used();
        self.drops.set(self.drops.get() + 1);
    }
}

/// Has a host do `act` with a future that is ready after three polls. Returns the status, how often
/// the future was polled, and how often it was dropped.
fn blocks(act: impl FnOnce(Future) -> Status + 'static) -> (Status, u32, u32) {
    let (_fake, host) = host(|table| table.block_on = block_on);
    let (homely, drops) = Homely::new();
    let mut polls = 0;
    ACT.set(Some(Box::new(act)));
    // It borrows, and holds what is not `Send`.
    let status = host.block_on(async {
        let homely = homely;
        poll_fn(|cx| {
            homely.is_used();
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 3 { task::Poll::Ready(()) } else { task::Poll::Pending }
        })
        .await;
    });
    (status, polls, drops.get())
}

#[test]
fn a_future_that_is_driven_with_a_new_waker_each_time_ends() {
    let driven = blocks(|future| {
        let wakers = [HandWaker::new(), HandWaker::new(), HandWaker::new()];
        let polled = wakers.map(|waker| waker.poll(&future));
        assert_eq!(polled, [Poll::PENDING, Poll::PENDING, Poll::READY]);
        assert_eq!(drop_future(&future), Status::DONE);
        wakers.into_iter().for_each(HandWaker::give_up);
        Status::DONE
    });
    assert_eq!(driven, (Status::DONE, 3, 1));
}

#[test]
fn a_future_that_is_given_up_early_is_dropped_before_the_host_returns() {
    for polls in 0..3 {
        let driven = blocks(move |future| {
            let waker = HandWaker::new();
            for _ in 0..polls {
                assert_eq!(waker.poll(&future), Poll::PENDING);
            }
            assert_eq!(drop_future(&future), Status::DONE);
            waker.give_up();
            Status::SHUT_DOWN
        });
        assert_eq!(driven, (Status::SHUT_DOWN, polls, 1));
    }
}

#[test]
fn another_thread_can_neither_poll_nor_drop_what_was_lent() {
    let driven = blocks(|future| {
        let waker = HandWaker::new();
        assert_eq!(waker.poll(&future), Poll::PENDING);
        let polled = elsewhere(future, |future| HandWaker::new_poll(&future));
        assert_eq!(polled, Poll::PANICKED);
        assert_eq!(waker.poll(&future), Poll::PENDING, "it is as it was");
        let dropped = elsewhere(future, |future| drop_future(&future));
        assert_eq!(dropped, Status::REFUSED);
        waker.give_up();
        Status::DONE
    });
    // Dropped here, once the host has returned.
    assert_eq!(driven, (Status::DONE, 2, 1));
}

#[test]
fn what_was_lent_is_gone_when_the_host_has_returned() {
    thread_local! {
        static KEPT: Cell<Option<Future>> = const { Cell::new(None) };
    }
    for goes_elsewhere in [false, true] {
        let driven = blocks(|future| {
            KEPT.set(Some(future));
            Status::DONE
        });
        assert_eq!(driven, (Status::DONE, 0, 1));
        let kept = KEPT.take().expect("the host has kept it");
        assert_eq!(HandWaker::new_poll(&kept), Poll::PANICKED);
        if goes_elsewhere {
            assert_eq!(elsewhere(kept, |kept| drop_future(&kept)), Status::REFUSED);
        } else {
            assert_eq!(drop_future(&kept), Status::DONE);
        }
    }
}

#[test]
fn a_lent_future_is_neither_polled_nor_dropped_within_a_poll() {
    thread_local! {
        static LENT: Cell<Option<Future>> = const { Cell::new(None) };
    }
    let (_fake, host) = host(|table| table.block_on = block_on);
    let (homely, drops) = Homely::new();
    ACT.set(Some(Box::new(|future| {
        LENT.set(Some(future));
        HandWaker::new_poll(&future);
        // The drop within the poll was the one drop.
        Status::DONE
    })));
    let mut polls = 0;
    host.block_on(async {
        poll_fn(|_| {
            let lent = LENT.take().expect("it is polled once");
            assert_eq!(HandWaker::new_poll(&lent), Poll::PANICKED);
            assert_eq!(drop_future(&lent), Status::REFUSED);
            homely.is_used();
            polls += 1;
            task::Poll::<()>::Pending
        })
        .await;
    });
    assert_eq!((polls, drops.get()), (1, 0), "the future has borrowed it, and has it no more");
}

#[test]
fn a_destructor_that_panics_ends_a_lent_future_all_the_same() {
    struct Throws;
    impl Drop for Throws {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    for is_dropped in [false, true] {
        let (_fake, host) = host(|table| table.block_on = block_on);
        ACT.set(Some(Box::new(move |future| {
            if is_dropped {
                assert_eq!(drop_future(&future), Status::PANICKED);
            } else {
                assert_eq!(elsewhere(future, |future| drop_future(&future)), Status::REFUSED);
            }
            Status::DONE
        })));
        let throws = Throws;
        let status = host.block_on(async move {
            let _throws = throws;
            pending::<()>().await;
        });
        assert_eq!(status, Status::DONE);
    }
}

/// Runs a call on another thread, where only a call that may be sent runs.
unsafe extern "C" fn in_another_place(_: *const Runtime, call: Call) -> Status {
    let run = |call: Call| {
        // SAFETY: X6, the call is lent until this function returns.
        unsafe { (call.run)(call.data) }
    };
    let refused = elsewhere(call, run);
    assert_eq!(refused, Status::REFUSED);
    Status::DONE
}

/// Runs a call on the calling thread, twice.
unsafe extern "C" fn twice_in_place(_: *const Runtime, call: Call) -> Status {
    // SAFETY: X6, the call is lent until this function returns.
    let first = unsafe { (call.run)(call.data) };
    // SAFETY: X6, as above; that it runs but once is what this tests.
    let second = unsafe { (call.run)(call.data) };
    assert_eq!((first, second), (Status::DONE, Status::REFUSED));
    first
}

#[test]
fn a_call_in_place_runs_on_its_thread_or_not_at_all() {
    let (_fake, elsewhere) = host(|table| table.block_in_place = in_another_place);
    let (homely, drops) = Homely::new();
    let (status, result) = elsewhere.block_in_place(move || homely.is_used());
    assert!(result.is_none() && status == Status::DONE);
    assert_eq!(drops.get(), 1, "on this thread");
    let (_fake, here) = host(|table| table.block_in_place = twice_in_place);
    let (homely, drops) = Homely::new();
    let mut runs = 0;
    let (status, result) = here.block_in_place(|| {
        homely.is_used();
        runs += 1;
    });
    assert!(result.is_some_and(|result| result.is_ok()) && status == Status::DONE);
    assert_eq!((runs, drops.get()), (1, 0));
}
