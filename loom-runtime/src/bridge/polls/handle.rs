//! The handle: what the caller awaits.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::panics::{drop_ignoring_panic, ignore_panic};
use crate::scheduler::Wake;

use super::super::complete::leave as leave_job;
use super::super::outcome::{Outcome, Queueing};
use super::super::slot::{Header, state};
use super::super::state::{Cell as Place, GiveUp};
use super::cell::{Owner, free, put_waker, release, shared, take_waker};
use super::depth;
use super::host::Host;
use super::turn::{self, enqueue, place, to_task};
use super::typed::make;
use super::waker::wake_task;
use super::word::{Found, Leave, Rest, Word};

/// A future in a cell, as a future of its outcome.
pub(crate) struct Handle<R, T: Host> {
    /// `None` once the outcome was taken.
    cell: Option<NonNull<Header>>,
    /// Whether the cell has a host; until then nobody else knows it.
    is_shared: bool,
    /// Whether a drop gives the future up.
    gives_up: bool,
    /// The place that showed a waker last.
    shown: Option<Place>,
    /// The handle moves an `R` out of the cell.
    result: PhantomData<(R, T)>,
}

// SAFETY: C1: on any thread the handle touches only what the word says is its own: a future that is
// `Send`, or its outcome.
unsafe impl<R: Send, T: Host> Send for Handle<R, T> {}

// SAFETY: C1: a shared reference permits nothing.
unsafe impl<R: Send, T: Host> Sync for Handle<R, T> {}

/// The future is pinned in the cell, and not in the handle.
impl<R, T: Host> Unpin for Handle<R, T> {}

/// Makes the poll that is the handle's turn, by the third argument, or returns how it waits in the queue.
pub(crate) type Here<'a, T> =
    &'a mut dyn FnMut(&T, &mut <T as Host>::Turn, Wake, &mut dyn FnMut()) -> Option<Queueing>;

impl<R: Send + 'static, T: Host> Handle<R, T> {
    pub(crate) fn new(future: impl Future<Output = R> + Send + 'static) -> Self {
        let cell = Some(make::<_, T>(future));
        Self { cell, is_shared: false, gives_up: false, shown: None, result: PhantomData }
    }
}

impl<R, T: Host> Handle<R, T> {
    /// Whether nobody else knows the future.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        !self.is_shared
    }

    #[inline]
    fn header(&self) -> NonNull<Header> {
        let Some(header) = self.cell else { panic!("a compute future was polled after its end") };
        header
    }

    /// The cell, while nobody else knows it.
    #[inline]
    fn alone(&mut self) -> Owner<T> {
        assert!(!self.is_shared, "others may have the turn");
        // SAFETY: C1, C8, nobody else knows the cell.
        unsafe { Owner::of(self.header()) }
    }

    fn word(&self) -> &Word {
        // SAFETY: C8, the handle has a reference until the outcome was taken.
        &unsafe { shared::<T>(self.header()) }.word
    }

    /// Polls a future that nobody else knows, with the waker of the task.
    pub(crate) fn poll_alone(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.alone().poll(cx) { self.take_alone() } else { Poll::Pending }
    }

    /// [`poll_alone`](Self::poll_alone), from which a panic of the future goes on, as from any future.
    #[inline]
    pub(crate) fn poll_through(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.alone().poll_through(cx) { self.take_alone() } else { Poll::Pending }
    }

    /// The outcome of a future that nobody else knows, which has ended.
    fn take_alone(&mut self) -> Poll<Outcome<R>> {
        let header = self.header();
        self.cell = None;
        // SAFETY: C1, the outcome is in the cell.
        let outcome = unsafe { Self::take_outcome(header) };
        // SAFETY: C8, nobody else knows the cell, which is empty.
        unsafe { free::<T>(header) };
        Poll::Ready(outcome)
    }

    /// From now on the future is polled with wakers of its own, and as this host says. The first of these
    /// polls answers this wake.
    pub(crate) fn share(&mut self, host: T, turn: T::Turn, wake: Wake) {
        self.alone().put_host(host, turn);
        self.word().answer(wake);
        self.is_shared = true;
    }

    /// The first poll, without a task that asks for it: here, or in the queue. The future is shared, and was
    /// not polled yet. Its outcome, if this was its only poll.
    pub(crate) fn start(&mut self, here: Here<'_, T>) -> Poll<Outcome<R>> {
        match self.word().begin() {
            Some(wake) => self.take_turn(wake, None, here),
            None => Poll::Pending,
        }
    }

    /// From now on a drop gives the future up.
    pub(crate) fn mark_awaited(&mut self) {
        self.gives_up = true;
    }

    /// Polls a future that is shared.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, here: Here<'_, T>) -> Poll<Outcome<R>> {
        self.mark_awaited();
        loop {
            // A waker is foreign code, which may panic: it is cloned before anything is changed.
            let waker = cx.waker().clone();
            match self.word().found() {
                Found::Turn(wake) => return self.take_turn(wake, Some(waker), here),
                Found::Outcome => {
                    drop_ignoring_panic(waker);
                    return Poll::Ready(self.take());
                }
                Found::Other => {
                    if self.show(waker) {
                        return Poll::Pending;
                    }
                }
                Found::Ended => panic!("a compute future was polled after its end"),
            }
        }
    }

    /// The handle owns the turn.
    fn take_turn(
        &mut self,
        wake: Wake,
        waker: Option<Waker>,
        here: Here<'_, T>,
    ) -> Poll<Outcome<R>> {
        let header = self.header();
        // SAFETY: C1, the handle has the turn; C8, and a reference.
        let mut owner = unsafe { Owner::<T>::of(header) };
        if let Some(shown) = self.shown
            && self.word().hide(shown)
        {
            drop_ignoring_panic(owner.take_waker(shown));
        }
        let mut is_ended = false;
        let mut poll = || {
            // SAFETY: C1, the handle's turn; `here` does not touch what a poll touches.
            is_ended = unsafe { Owner::<T>::of(header) }.poll_woken();
        };
        let asked =
            AssertUnwindSafe(|| owner.with_host(|host, turn| here(host, turn, wake, &mut poll)));
        let asked = catch_unwind(asked);
        if is_ended {
            drop_ignoring_panic((waker, asked));
            let end = owner.how();
            let (host, turn) = owner.take_host();
            ignore_panic(|| host.end(turn, end, false));
            self.word().end();
            return Poll::Ready(self.take());
        }
        let queueing = match asked {
            Ok(queueing) => queueing,
            Err(payload) => {
                // The poll may be due still.
                drop_ignoring_panic((waker, to_task(owner, wake, &mut || {})));
                resume_unwind(payload)
            }
        };
        // Both places are empty, since the handle has the turn (C4).
        self.shown = waker.is_some().then_some(Place::A);
        if let Some(waker) = waker {
            owner.put_waker(Place::A, waker);
        }
        if let Some(queueing) = queueing {
            let is_shown = self.shown.is_none_or(|place| self.word().show(place));
            debug_assert!(is_shown, "the handle has the turn");
            enqueue(owner, queueing, &mut || {});
        } else if self.word().rest(self.shown) == Rest::Again
            && let Some(waker) = place(owner, Wake::Itself, &mut || {})
        {
            wake_task::<T>(waker);
        }
        Poll::Pending
    }

    /// Shows the waker to who owns the turn. False if there is something for the handle to do.
    fn show(&mut self, waker: Waker) -> bool {
        let header = self.header();
        let (place, old) = match self.shown {
            None => (Place::A, None),
            Some(place) if self.word().hide(place) => {
                // SAFETY: C4, the flag was set, and the handle cleared it.
                (place, Some(unsafe { take_waker::<T>(header, place) }))
            }
            // An owner has cleared the flag, and may still be reading that place.
            Some(place) => (place.other(), None),
        };
        // SAFETY: C4, no owner uses this place.
        unsafe { put_waker::<T>(header, place, waker) };
        self.shown = Some(place);
        let is_shown = self.word().show(place);
        let unseen = (!is_shown).then(|| {
            // SAFETY: C4, its flag was never set.
            unsafe { take_waker::<T>(header, place) }
        });
        // One panic must not meet another.
        drop_ignoring_panic(old);
        drop_ignoring_panic(unseen);
        is_shown
    }

    /// Takes the outcome, and gives the reference back.
    fn take(&mut self) -> Outcome<R> {
        let header = self.header();
        if let Some(shown) = self.shown
            && self.word().hide(shown)
        {
            // SAFETY: C4, the flag was set, and the handle cleared it.
            drop_ignoring_panic(unsafe { take_waker::<T>(header, shown) });
        }
        self.cell = None;
        // SAFETY: C1, the outcome is the handle's.
        let outcome = unsafe { Self::take_outcome(header) };
        // SAFETY: C8, the handle's reference.
        unsafe { release::<T>(header) };
        outcome
    }

    /// # Safety
    ///
    /// C1: the caller owns the outcome, which is in the cell.
    unsafe fn take_outcome(header: NonNull<Header>) -> Outcome<R> {
        let mut outcome = MaybeUninit::<Outcome<R>>::uninit();
        // SAFETY: C8, by contract the cell exists.
        let vtable = unsafe { header.as_ref() }.vtable;
        // SAFETY: C1, by contract; `outcome` has room for it.
        unsafe { (vtable.take_outcome)(header, outcome.as_mut_ptr().cast()) };
        // SAFETY: C1, it has just been written.
        unsafe { outcome.assume_init() }
    }

    /// Lets the future run to its end without the handle. A future that is not shared is dropped.
    pub(crate) fn detach(mut self) {
        self.gives_up = false;
        drop(self);
    }

    fn leave(&mut self) {
        let Some(header) = self.cell.take() else { return };
        if !self.is_shared {
            return depth::drop_nested(move || {
                // SAFETY: C1, nobody else knows the cell.
                unsafe { Owner::<T>::of(header) }.drop_future();
                // SAFETY: C8, as above, and nothing is left in it.
                unsafe { free::<T>(header) };
            });
        }
        // SAFETY: C8, the handle has a reference.
        let word = &unsafe { shared::<T>(header) }.word;
        if let Some(shown) = self.shown
            && word.hide(shown)
        {
            // SAFETY: C4, the flag was set, and the handle cleared it.
            drop_ignoring_panic(unsafe { take_waker::<T>(header, shown) });
        }
        let leave = if self.gives_up { word.give_up() } else { word.detach() };
        match leave {
            Leave::Nothing => {}
            Leave::Polled => {
                // For the poll to see, if it runs on the pool.
                // SAFETY: C7, C8, as above.
                let _is_told = unsafe { state(header) }.give_up(true);
            }
            Leave::Turn(wake) => {
                // SAFETY: C1, the step made this thread the owner; C8, the handle has a reference.
                if let Some(waker) = place(unsafe { Owner::<T>::of(header) }, wake, &mut || {}) {
                    wake_task::<T>(waker);
                }
            }
            Leave::Outcome => {
                // A result may have another handle in it, and so on.
                return depth::drop_nested(move || {
                    // SAFETY: C1, the outcome is the handle's.
                    unsafe { Owner::<T>::of(header) }.drop_outcome();
                    // SAFETY: C8, the handle's reference.
                    unsafe { release::<T>(header) };
                });
            }
            Leave::Queued => {
                // SAFETY: C7, C8, as above.
                let waits = unsafe { state(header) }.give_up(true) == GiveUp::Cancelled;
                // SAFETY: C1, the host is the handle's.
                let owner = unsafe { Owner::<T>::of(header) };
                ignore_panic(|| owner.of_host(|host| host.withdraw(waits)));
                if waits {
                    // SAFETY: C7, the handle's end of the job.
                    unsafe { leave_job(header) };
                }
                return cancel::<T>(header);
            }
            Leave::Future => return cancel::<T>(header),
        }
        // SAFETY: C8, the handle's reference.
        unsafe { release::<T>(header) };
    }
}

/// Drops a future that was given up, and gives the handle's reference back.
fn cancel<T: Host>(header: NonNull<Header>) {
    depth::drop_nested(move || {
        // SAFETY: C1, the future is the handle's, which has ended it.
        unsafe { turn::cancel::<T>(header) };
        // SAFETY: C8, the handle's reference.
        unsafe { release::<T>(header) };
    });
}

impl<R, T: Host> Drop for Handle<R, T> {
    fn drop(&mut self) {
        self.leave();
    }
}
