//! Wakers for tests, each step of which panics or calls back as the test says.
//!
//! Owns the wakers, and the counts of what was done to them. What a place has to endure is in
//! `crate::hostile`.
//!
//! Rule W1: the data of such a waker is from `Arc::into_raw`, and each waker has one count of it,
//! which its wake or its drop gives back.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

/// What is done to a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Clone,
    Wake,
    WakeByRef,
    /// Also a part of `Wake`, which uses the waker up, even if it panics.
    Drop,
}

type Act = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    acts: Mutex<[Option<Act>; 4]>,
    counts: [AtomicUsize; 4],
    /// How many wakers exist.
    live: AtomicUsize,
}

impl Shared {
    fn behave(&self) {
        let acts = std::mem::take(&mut *self.acts.lock().unwrap_or_else(PoisonError::into_inner));
        drop(acts);
    }

    fn take(&self, step: Step) {
        self.counts[step as usize].fetch_add(1, Ordering::SeqCst);
        let act = self.acts.lock().unwrap_or_else(PoisonError::into_inner)[step as usize].clone();
        if let Some(act) = act {
            act();
        }
    }
}

/// The maker of such wakers, all of one task.
pub(crate) struct Hostile(Arc<Shared>);

impl Default for Hostile {
    fn default() -> Self {
        let shared = Arc::<Shared>::default();
        MADE.with_borrow_mut(|made| made.push(Arc::downgrade(&shared)));
        Self(shared)
    }
}

impl Hostile {
    pub(crate) fn waker(&self) -> Waker {
        self.0.live.fetch_add(1, Ordering::SeqCst);
        let data = Arc::into_raw(Arc::clone(&self.0));
        // SAFETY: W1, the functions of the table take such data, and the waker has the new count.
        unsafe { Waker::from_raw(RawWaker::new(data.cast(), &VTABLE)) }
    }

    /// From now on each of these steps calls `act`.
    pub(crate) fn on(&self, steps: &[Step], act: impl Fn() + Send + Sync + 'static) {
        let act: Act = Arc::new(act);
        let mut acts = self.0.acts.lock().unwrap_or_else(PoisonError::into_inner);
        for step in steps {
            acts[*step as usize] = Some(Arc::clone(&act));
        }
    }

    /// From now on each of these steps panics.
    pub(crate) fn panics_on(&self, steps: &[Step]) {
        // Without the hook, which would print each of very many.
        self.on(steps, || resume_unwind(Box::new("a waker that panics on purpose")));
    }

    /// From now on each step does what a waker is expected to do: nothing, for this task.
    pub(crate) fn behave(&self) {
        self.0.behave();
    }

    pub(crate) fn count(&self, step: Step) -> usize {
        self.0.counts[step as usize].load(Ordering::SeqCst)
    }

    /// How often one of the wakers was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.count(Step::Wake) + self.count(Step::WakeByRef)
    }

    /// How many of the wakers exist.
    pub(crate) fn live(&self) -> usize {
        self.0.live.load(Ordering::SeqCst)
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker that is being used up.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
        self.0.take(Step::Drop);
    }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: W1, the waker that is cloned has a count.
    let shared = unsafe { &*data.cast::<Shared>() };
    shared.take(Step::Clone);
    shared.live.fetch_add(1, Ordering::SeqCst);
    // SAFETY: W1, as above; the new waker gets the new count.
    unsafe { Arc::increment_strong_count(data.cast::<Shared>()) };
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: W1, the waker is used up, and gives up its count.
    let last = Last(unsafe { Arc::from_raw(data.cast::<Shared>()) });
    last.0.take(Step::Wake);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: W1, the waker has a count.
    let shared = unsafe { &*data.cast::<Shared>() };
    shared.take(Step::WakeByRef);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: W1, the waker is dropped, and gives up its count.
    drop(Last(unsafe { Arc::from_raw(data.cast::<Shared>()) }));
}

thread_local! {
    static HERE: RefCell<Vec<Rc<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
    /// What the makers of this thread share with their wakers.
    static MADE: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
}

/// Makes every waker of this thread's makers behave. For a test that is about to fail: it would
/// drop them while it unwinds, and the process would end before the test has said why.
pub(crate) fn calm_down() {
    MADE.take().iter().filter_map(Weak::upgrade).for_each(|shared| shared.behave());
}

/// A function for a waker that is used on this thread alone, so that `act` need not be `Send`. On
/// other threads, and after [`forget_here`], it does nothing.
pub(crate) fn here(act: impl Fn() + 'static) -> impl Fn() + Send + Sync + 'static {
    let at = HERE.with_borrow_mut(|acts| {
        acts.push(Rc::new(act));
        acts.len() - 1
    });
    move || {
        let act = HERE.with_borrow(|acts| acts.get(at).cloned());
        if let Some(act) = act {
            act();
        }
    }
}

/// Drops the functions of [`here`].
pub(crate) fn forget_here() {
    let acts = HERE.take();
    drop(acts);
}

#[test]
fn steps_are_counted_and_do_as_they_are_told() {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    let hostile = Hostile::default();
    let waker = hostile.waker();
    let again = waker.clone();
    again.wake_by_ref();
    again.wake();
    let steps = [Step::Clone, Step::Wake, Step::WakeByRef, Step::Drop];
    assert_eq!(steps.map(|step| hostile.count(step)), [1; 4]);
    let called = Arc::new(AtomicUsize::new(0));
    hostile.on(&[Step::WakeByRef], {
        let called = Arc::clone(&called);
        move || {
            called.fetch_add(1, Ordering::SeqCst);
        }
    });
    waker.wake_by_ref();
    assert_eq!(called.load(Ordering::SeqCst), 1);
    hostile.panics_on(&[Step::Clone]);
    assert!(catch_unwind(AssertUnwindSafe(|| waker.clone())).is_err());
    hostile.behave();
    hostile.panics_on(&[Step::Wake]);
    let clone = waker.clone();
    assert!(catch_unwind(AssertUnwindSafe(|| clone.wake())).is_err());
    assert_eq!((hostile.live(), hostile.count(Step::Drop)), (1, 2));
    hostile.panics_on(&[Step::Drop]);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(waker))).is_err());
    assert_eq!(hostile.live(), 0);
}
