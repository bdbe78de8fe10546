//! What crosses the boundary endures every waker, and so do the guest's handles.

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::task::{Poll, Waker};

use super::{Fake, pair};
use crate::boundary::waker::foreign::Foreign;
use crate::boundary::{ForeignFuture, HostRef};
use crate::core::{Admitted, Core};
use crate::guest::{JoinHandle, spawn};
use crate::hostile::{
    ALL, ENDS, Hostile, Place, Step, WAKES, Waiting, caught, endure, forget_here, here,
    none_is_left, poll, quietly,
};
use crate::scheduler::MabKnobs;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};
use crate::topology::{CoreBudget, Plan, Request};

/// How a task of the guest ends.
#[derive(Clone, Copy)]
enum How {
    Returns,
    Panics,
    /// The host drops it.
    Dropped,
}

/// Tasks of a guest on a host that polls them when the test says so.
struct Tasks {
    fake: Arc<Fake>,
    host: HostRef,
    core: Arc<Core>,
    running: RefCell<Vec<ForeignFuture>>,
    how: How,
}

impl Tasks {
    fn new(how: How) -> Self {
        let (fake, host) = pair();
        let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
        let core = Arc::new(Core::new(plan, Some(1), 1, 1, MabKnobs::new()));
        Self { fake, host, core, running: RefCell::default(), how }
    }
}

impl Place for Tasks {
    type Wait = JoinHandle<()>;

    fn wait(&self) -> JoinHandle<()> {
        let Ok(admitted) = Admitted::here(&self.core) else { panic!("it has not ended") };
        let spawned = match self.how {
            How::Returns => spawn(&self.host, admitted, ready(())),
            How::Panics => spawn(&self.host, admitted, async { panic!("in the task") }),
            How::Dropped => spawn(&self.host, admitted, pending()),
        };
        let future = self.fake.futures.lock().expect("not poisoned").pop();
        self.running.borrow_mut().push(future.expect("it was spawned"));
        let Ok(handle) = spawned else { panic!("it is taken") };
        handle
    }

    fn fire(&self) {
        let running = self.running.take();
        for mut future in running {
            if !matches!(self.how, How::Dropped) {
                let polled = poll(&mut future, Waker::noop());
                let is_right = match self.how {
                    How::Panics => matches!(polled, Poll::Ready(Err(_))),
                    // A waker that panics is not a panic of the task, which the host would count.
                    How::Returns | How::Dropped => matches!(polled, Poll::Ready(Ok(()))),
                };
                assert!(is_right, "how the host sees the end");
            }
        }
    }
}

#[test]
fn a_handle_of_a_guest_endures_every_waker() {
    for how in [How::Returns, How::Panics, How::Dropped] {
        endure(|| Tasks::new(how));
    }
}

#[test]
fn a_handle_that_is_polled_too_often_panics_once() {
    let tasks = Tasks::new(How::Returns);
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let mut handle = tasks.wait();
    tasks.fire();
    hostile.panics_on(&[Step::Drop]);
    let polled = quietly("a poll that takes the result", || poll(&mut handle, &waker));
    assert!(matches!(polled, Poll::Ready(Ok(()))), "the result is not lost");
    // Another panic in here would end the process.
    assert!(caught(|| poll(&mut handle, &waker)).is_none());
    drop(handle);
    none_is_left(&hostile, waker);
}

/// A future of the other side, which keeps the waker that it is polled with.
fn keeping(fake: &Fake, host: &HostRef) -> (ForeignFuture, Arc<Mutex<Option<Waker>>>) {
    let kept = Arc::<Mutex<Option<Waker>>>::default();
    let keeper = Arc::clone(&kept);
    let mut polls = 0;
    let task = host.spawn(poll_fn(move |cx| {
        polls += 1;
        let before = keeper.lock().expect("not poisoned").replace(cx.waker().clone());
        drop(before);
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    }));
    drop(task);
    let future = fake.futures.lock().expect("not poisoned").pop().expect("it was spawned");
    (future, kept)
}

#[test]
fn a_future_whose_waker_panics_is_polled_again_and_wakes_the_next_one() {
    let (fake, host) = pair();
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let (future, kept) = keeping(&fake, &host);
    let mut future = Waiting::new(future);
    hostile.panics_on(&[Step::Clone]);
    let polled = caught(|| poll(future.future(), &waker));
    assert!(polled.is_none(), "the panic stays on its side");
    assert!(kept.lock().expect("not poisoned").is_none(), "the other side was not called");
    hostile.behave();
    assert!(poll(future.future(), &waker).is_pending());
    hostile.panics_on(&[Step::Drop]);
    quietly("a poll with another waker", || future.poll());
    let last = kept.lock().expect("not poisoned").take();
    last.expect("it was polled").wake();
    future.ends();
    drop(kept);
    none_is_left(&hostile, waker);
}

#[test]
fn a_future_that_is_dropped_drops_its_waker_without_a_panic() {
    let (fake, host) = pair();
    let hostile = Hostile::default();
    let waker = hostile.waker();
    let futures = [(); 2].map(|()| {
        let (mut future, kept) = keeping(&fake, &host);
        assert!(poll(&mut future, &waker).is_pending());
        (future, kept)
    });
    hostile.panics_on(&[Step::Drop]);
    let [(dropped, kept), (unwound, other)] = futures;
    quietly("the drop of a future", || drop(dropped));
    let unwinds = caught(move || {
        let _dropped_by_the_unwind = unwound;
        panic!("the only panic");
    });
    assert_eq!(unwinds, None::<()>);
    // These are the program's own wakers, on its own side.
    for kept in [kept, other] {
        let own = kept.lock().expect("not poisoned").take();
        assert!(caught(|| drop(own)).is_none());
    }
    none_is_left(&hostile, waker);
}

#[test]
fn a_waker_of_the_other_side_panics_in_no_step() {
    for steps in [&WAKES[..], &ENDS, &ALL] {
        let hostile = Hostile::default();
        let foreign = Foreign::lower(hostile.waker());
        hostile.panics_on(steps);
        quietly("the steps of a waker", || {
            let kept = foreign.with(Waker::clone);
            kept.wake_by_ref();
            kept.wake_by_ref();
            drop(foreign);
            // The last count: the waker itself is dropped, too.
            kept.wake();
        });
        assert_eq!((hostile.wakes(), hostile.live()), (3, 0), "{steps:?}");
    }
}

#[test]
fn a_waker_may_use_the_boundary_from_each_step() {
    for steps in [&[Step::Clone][..], &WAKES, &[Step::Drop]] {
        let (fake, host) = pair();
        let hostile = Hostile::default();
        let waker = hostile.waker();
        let (mut future, kept) = keeping(&fake, &host);
        let (other, other_kept) = keeping(&fake, &host);
        let other = RefCell::new(Some(other));
        let acts = Arc::new(AtomicUsize::new(0));
        hostile.on(
            steps,
            here({
                let acts = Arc::clone(&acts);
                move || {
                    if acts.fetch_add(1, Ordering::Relaxed) > 0 {
                        return;
                    }
                    let (mut fresh, kept) = keeping(&fake, &host);
                    let foreign = Foreign::lower(Waker::noop().clone());
                    assert!(foreign.with(|waker| poll(&mut fresh, waker)).is_pending());
                    drop((fresh, foreign));
                    let kept = kept.lock().expect("not poisoned").take();
                    kept.expect("it was polled").wake();
                    let other = other.take();
                    drop(other);
                }
            }),
        );
        assert!(poll(&mut future, &waker).is_pending());
        let own = kept.lock().expect("not poisoned").take();
        own.expect("it was polled").wake();
        assert!(
            Pin::new(&mut future)
                .poll(&mut std::task::Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(acts.load(Ordering::Relaxed) > 0, "{steps:?}");
        drop((future, kept, other_kept));
        forget_here();
        none_is_left(&hostile, waker);
    }
}
