//! What the owner of a turn does: it places the next poll, or makes it on the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

use crate::panics::{drop_ignoring_panic, ignore_panic, user_code};
use crate::scheduler::Wake;

use super::super::complete::{Current, HandOver, Job, Way};
use super::super::outcome::{End, Fault, Queueing};
use super::super::slot::{Header, state};
use super::cell::{Owner, Ran, release, shared};
use super::depth;
use super::host::{Host, ask};
use super::word::{Publish, Rest, ToTask};

/// What the thread does before it drops a future or a waker, which may take any time.
type BeforeDrop<'a> = &'a mut dyn FnMut();

/// Wakes the future. Returns the waker of the task that takes the poll, which the caller has to wake.
///
/// # Safety
///
/// C8: the caller has a reference, and the host of the cell is a `T`.
pub(super) unsafe fn wake<T: Host>(header: NonNull<Header>) -> Option<Waker> {
    // SAFETY: C8, by contract.
    let word = &unsafe { shared::<T>(header) }.word;
    let wake = word.wake(|| ask(Wake::Thread, T::wake))?;
    // SAFETY: C1, the step made this thread the owner; C8, by contract.
    place(unsafe { Owner::<T>::of(header) }, wake, &mut || {})
}

/// Passes the turn on, for a poll that answers this wake. Returns the waker of the task that takes it,
/// which the caller has to wake. `before_drop` is called before anything is dropped.
pub(super) fn place<T: Host>(
    mut owner: Owner<T>,
    wake: Wake,
    before_drop: BeforeDrop<'_>,
) -> Option<Waker> {
    let is_awaited = owner.shared().word.is_awaited();
    let to_queue = |host: &T, turn: &mut T::Turn| host.place(turn, wake, is_awaited);
    match ask(Some(Queueing::default()), || owner.with_host(to_queue)) {
        Some(queueing) => {
            enqueue(owner, queueing, before_drop);
            None
        }
        None => to_task(owner, wake, before_drop),
    }
}

/// Passes the turn to a job, whether or not a task waits.
fn to_queue<T: Host>(mut owner: Owner<T>, wake: Wake, before_drop: BeforeDrop<'_>) {
    let place = |host: &T, turn: &mut T::Turn| host.place(turn, wake, false);
    let queueing = ask(None, || owner.with_host(place));
    enqueue(owner, queueing.unwrap_or_default(), before_drop);
}

/// Passes the turn to a job.
pub(super) fn enqueue<T: Host>(owner: Owner<T>, queueing: Queueing, before_drop: BeforeDrop<'_>) {
    let header = owner.header();
    // SAFETY: C7, C8, the owner's.
    unsafe { state(header) }.renew(queueing);
    let queue = owner.of_host(T::queue);
    let mut is_unwanted = false;
    T::submit(queue, &mut || {
        is_unwanted = !owner.shared().word.to_queue();
        // SAFETY: C7, C8, the step made the job the owner, once, with a reference of its own.
        (!is_unwanted).then(|| unsafe { Job::of(header) })
    });
    if is_unwanted {
        before_drop();
        drop_unwanted(owner);
    }
}

/// Passes the turn to the task of the handle.
pub(super) fn to_task<T: Host>(
    mut owner: Owner<T>,
    wake: Wake,
    before_drop: BeforeDrop<'_>,
) -> Option<Waker> {
    let mut waker = None;
    loop {
        match owner.shared().word.to_task() {
            ToTask::Passed => return waker,
            ToTask::WithWaker(place) => {
                let unseen = waker.replace(owner.take_waker(place));
                drop_unseen(unseen, before_drop);
            }
            ToTask::Detached => {
                to_queue(owner, wake, before_drop);
                drop_unseen(waker, before_drop);
                return None;
            }
            ToTask::Unwanted => {
                before_drop();
                drop_unwanted(owner);
                drop_ignoring_panic(waker);
                return None;
            }
        }
    }
}

/// Drops the waker of a handle that has shown another one, or has gone.
fn drop_unseen(waker: Option<Waker>, before_drop: BeforeDrop<'_>) {
    if waker.is_some() {
        before_drop();
    }
    drop_ignoring_panic(waker);
}

/// Drops a future that was given up. The caller keeps its reference.
fn drop_unwanted<T: Host>(owner: Owner<T>) {
    let header = owner.header();
    owner.shared().word.hold();
    depth::drop_nested(move || {
        owner.shared().word.end();
        // SAFETY: C1, this thread owned the turn, which has ended.
        unsafe { cancel::<T>(header) };
        // SAFETY: C8, the reference that was made for this.
        unsafe { release::<T>(header) };
    });
}

/// Drops the future, and tells the host.
///
/// # Safety
///
/// C1, C8: the future is the caller's, and the word says that it has ended; the host is a `T`.
pub(super) unsafe fn cancel<T: Host>(header: NonNull<Header>) {
    // SAFETY: C1, C8, by contract.
    let mut owner = unsafe { Owner::<T>::of(header) };
    owner.drop_future();
    let (host, turn) = owner.take_host();
    ignore_panic(|| host.end(turn, End::Cancelled, true));
}

/// # Safety
///
/// C1: the caller owns the turn of a cell with this host.
pub(super) unsafe fn may_start<T: Host>(header: NonNull<Header>) -> bool {
    // SAFETY: C1, by contract.
    unsafe { Owner::<T>::of(header) }.of_host(T::may_start)
}

/// Takes the turn of a job, and polls the future.
///
/// # Safety
///
/// B2, C8: the header is the one of a cell with this host, whose job has started, and has a reference.
pub(super) unsafe fn work<T: Host>(header: NonNull<Header>, way: Way) {
    user_code::runs_here();
    // SAFETY: C8, by contract.
    let shared = unsafe { shared::<T>(header) };
    let ran = match shared.word.start() {
        None => Ran::Nothing,
        Some(wake) => {
            // SAFETY: C1, the step made this thread the owner.
            let mut owner = unsafe { Owner::<T>::of(header) };
            if way == Way::Run && ask(false, || owner.of_host(T::may_start)) {
                poll_on_pool(&mut owner, wake)
            } else {
                owner.fail(Fault::Refused);
                Ran::Ended
            }
        }
    };
    // SAFETY: C1, the job's.
    shared.ran.with_mut(|place| unsafe { place.write(ran) });
}

fn poll_on_pool<T: Host>(owner: &mut Owner<T>, wake: Wake) -> Ran {
    let header = owner.header();
    let _current = Current::enter(Some(header));
    let mut is_ended = false;
    let mut poll = || {
        // SAFETY: C1, the caller's turn; the host does not touch what a poll touches.
        is_ended = unsafe { Owner::<T>::of(header) }.poll_woken();
    };
    let around =
        AssertUnwindSafe(|| owner.with_host(|host, turn| host.around(turn, wake, &mut poll)));
    let around = catch_unwind(around);
    match around {
        Err(payload) if !is_ended => owner.fail(Fault::Panicked(payload)),
        Err(payload) => drop_ignoring_panic(payload),
        Ok(()) if !is_ended => return Ran::Pending,
        Ok(()) => {}
    }
    Ran::Ended
}

/// Ends the turn of a job, and gives its reference back.
///
/// # Safety
///
/// C1, C8: the header is the one of a cell with this host, whose job has worked, and has a reference.
pub(super) unsafe fn finish<T: Host>(header: NonNull<Header>, steps: &mut dyn HandOver) {
    user_code::runs_here();
    // SAFETY: C8, by contract.
    let shared = unsafe { shared::<T>(header) };
    // SAFETY: C1, the job's.
    let ran = shared.ran.with(|ran| unsafe { *ran });
    let mut after = None;
    if ran != Ran::Nothing {
        // SAFETY: C1, the job has the turn since it worked.
        let mut owner = unsafe { Owner::<T>::of(header) };
        let end = (ran == Ran::Ended).then(|| owner.how());
        ignore_panic(|| after = Some(owner.with_host(|host, turn| host.after(turn, end))));
        match ran {
            Ran::Pending => rest(owner, steps),
            _ => publish(owner, steps),
        }
    }
    if shared.word.is_last() {
        // Nobody can wake the future, which is dropped.
        steps.before_drop();
    }
    // SAFETY: C8, the job's reference.
    unsafe { release::<T>(header) };
    drop_ignoring_panic(after);
}

/// Ends the turn after a poll that was pending.
fn rest<T: Host>(owner: Owner<T>, steps: &mut dyn HandOver) {
    steps.before(None);
    match owner.shared().word.rest(None) {
        Rest::Idle => {}
        Rest::Again => {
            if let Some(waker) = place(owner, Wake::Itself, &mut || steps.before_drop()) {
                steps.before(Some(&waker));
                steps.wake(waker);
            }
        }
        Rest::Unwanted => {
            steps.before_drop();
            drop_unwanted(owner);
        }
    }
}

/// Ends the turn after the last poll.
fn publish<T: Host>(mut owner: Owner<T>, steps: &mut dyn HandOver) {
    let end = owner.how();
    let unwanted = owner.shared().word.orphaned();
    if unwanted.is_some() {
        steps.before_drop();
        owner.drop_outcome();
    }
    let (host, turn) = owner.take_host();
    ignore_panic(|| host.end(turn, end, unwanted.unwrap_or(false)));
    if unwanted.is_some() {
        return owner.shared().word.end();
    }
    let mut waker: Option<Waker> = None;
    loop {
        steps.before(waker.as_ref());
        match owner.shared().word.publish() {
            Publish::Done => {
                if let Some(waker) = waker {
                    steps.wake(waker);
                }
                return;
            }
            Publish::WithWaker(place) => {
                let unseen = waker.replace(owner.take_waker(place));
                if unseen.is_some() {
                    steps.before_drop();
                }
                drop_ignoring_panic(unseen);
            }
            Publish::Orphaned => {
                steps.before_drop();
                drop_ignoring_panic(waker);
                owner.drop_outcome();
                return owner.shared().word.end();
            }
        }
    }
}
