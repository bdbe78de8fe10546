//! Baggage that goes with work to other threads: the current span of `tracing`, and the task-locals
//! that an attribute names.
//!
//! A thread that waits for parallel work of one call may run a piece of another call's scope above it
//! on its stack. Meanwhile the task-locals and spans of the lower call are set aside.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use std::vec;

use tokio::runtime::Handle;
use tokio::task::LocalKey;

use crate::core::{Function, context};
use crate::panics::drop_ignoring_panic;
use crate::sync::thread;
use crate::threads::Standing;

use super::deadline::{self, deadline};
use super::spans::{self, CallSpan};
use super::through::through;

/// A static that `carry(…)` may name: one of `tokio::task_local!`.
#[diagnostic::on_unimplemented(
    message = "`carry` cannot take `{Self}` along",
    label = "expected a static of `tokio::task_local!` whose value is `Clone` and `Send`"
)]
pub trait Carry: Sync {
    /// A copy of its value in the calling task, if it has one.
    fn take_along(&'static self) -> Option<Box<dyn Carried>>;

    /// Whether its value can be taken away: not while a caller up the stack borrows it
    /// (`LocalKey::with`).
    fn is_free(&'static self) -> bool;

    /// Calls `f` while the task-local has no value. It has to be free.
    fn without(&'static self, f: &mut dyn FnMut());
}

/// The value of a task-local that is carried to another thread.
pub trait Carried: Send {
    /// Calls `f` while the task-local has this value.
    fn within(self: Box<Self>, f: &mut dyn FnMut());

    /// As [`within`](Self::within), for a value that is carried again.
    fn lend(&mut self, f: &mut dyn FnMut());
}

/// The task-locals that `carry(…)` names.
pub(crate) type CarriedKeys = &'static [&'static dyn Carry];

struct Value<T: 'static> {
    key: &'static LocalKey<T>,
    /// `None` while it is lent.
    value: Option<T>,
}

impl<T> Value<T> {
    /// Calls `f` while the task-local has the value, and returns the value, and the panic of `f`.
    fn around(
        key: &'static LocalKey<T>,
        value: T,
        f: &mut dyn FnMut(),
    ) -> (Option<T>, thread::Result<()>) {
        let run = poll_fn(|_| Poll::Ready(catch_unwind(AssertUnwindSafe(&mut *f))));
        let mut scope = pin!(key.scope(value, run));
        let ended = scope.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(ended) = ended else { unreachable!("it never waits") };
        (scope.as_mut().take_value(), ended)
    }
}

impl<T: Clone + Send + 'static> Carry for LocalKey<T> {
    fn take_along(&'static self) -> Option<Box<dyn Carried>> {
        let value = self.try_with(T::clone).ok()?;
        Some(Box::new(Value { key: self, value: Some(value) }))
    }

    fn is_free(&'static self) -> bool {
        /// Records, when it is dropped, whether the task-local has no value.
        struct Probe<'a, T: 'static>(&'static LocalKey<T>, &'a Cell<bool>);
        impl<T> Future for Probe<'_, T> {
            type Output = ();

            fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
                Poll::Ready(())
            }
        }
        impl<T> Drop for Probe<'_, T> {
            fn drop(&mut self) {
                self.1.set(self.0.try_with(|_| ()).is_err());
            }
        }
        let Ok(value) = self.try_with(T::clone) else { return true };
        let is_free = Cell::new(false);
        // Within a scope whose value was taken out the task-local has no value. A future that was
        // never polled is dropped within its scope, if tokio can enter that scope; it cannot while
        // the task-local is borrowed.
        let mut scope = Box::pin(self.scope(value, Probe(self, &is_free)));
        drop(scope.as_mut().take_value());
        drop(scope);
        is_free.get()
    }

    fn without(&'static self, f: &mut dyn FnMut()) {
        let Ok(value) = self.try_with(T::clone) else { return f() };
        let mut scope = pin!(self.scope(
            value,
            poll_fn(|_| {
                f();
                Poll::Ready(())
            })
        ));
        drop(scope.as_mut().take_value());
        let ended = scope.poll(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ended.is_ready(), "it never waits");
    }
}

impl<T: Send> Carried for Value<T> {
    fn within(self: Box<Self>, f: &mut dyn FnMut()) {
        let Self { key, value } = *self;
        let Some(value) = value else { return f() };
        let (value, ended) = Self::around(key, value, f);
        // The copy is Loom's, and an inline call has none: a panic of its drop is not the call's.
        drop_ignoring_panic(value);
        if let Err(payload) = ended {
            resume_unwind(payload);
        }
    }

    fn lend(&mut self, f: &mut dyn FnMut()) {
        let Some(value) = self.value.take() else { return f() };
        let (value, ended) = Self::around(self.key, value, f);
        self.value = value;
        if let Err(payload) = ended {
            resume_unwind(payload);
        }
    }
}

/// A value for a task-local.
#[cfg(feature = "fleet")]
pub(super) fn carried<T: Send + 'static>(key: &'static LocalKey<T>, value: T) -> Box<dyn Carried> {
    Box::new(Value { key, value: Some(value) })
}

/// Values for task-locals that are set again and again.
#[cfg(feature = "fleet")]
pub(super) struct Lent(Box<[Kept]>);

#[cfg(feature = "fleet")]
impl Lent {
    pub(super) fn of(values: Vec<Box<dyn Carried>>) -> Self {
        Self(values.into_iter().map(|value| Kept(Some(value))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls `f` while the task-locals have these values.
    pub(super) fn around(&mut self, f: &mut dyn FnMut()) {
        lend_all(&mut self.0, f);
    }
}

/// A carried value whose drop does not panic, so that several may be dropped together.
struct Kept(Option<Box<dyn Carried>>);

impl Drop for Kept {
    fn drop(&mut self) {
        drop_ignoring_panic(self.0.take());
    }
}

thread_local! {
    /// The keys that the calls on this thread's stack carry, the lowest call first.
    static RUNNING: RefCell<Vec<CarriedKeys>> = const { RefCell::new(Vec::new()) };
}

/// An entry of [`RUNNING`], for as long as its call runs.
struct Running {
    /// Whether the call runs above no other call.
    is_alone: bool,
}

impl Running {
    fn enter(carrying: CarriedKeys) -> Self {
        let is_alone = RUNNING.with_borrow_mut(|running| {
            running.push(carrying);
            running.len() == 1
        });
        Self { is_alone }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

/// Baggage of work: packed on the thread that makes the work, and unpacked where the work runs.
pub(crate) struct Baggage {
    carrying: CarriedKeys,
    /// An empty slice does not allocate.
    carried: Box<[Kept]>,
    /// In a box, since most calls have none.
    deadline: Option<Box<Instant>>,
    pub(crate) span: CallSpan,
}

impl Baggage {
    /// Baggage for a call of a function, or of a closure whose type has this name.
    pub(crate) fn pack(
        carrying: CarriedKeys,
        function: Option<&Function>,
        closure: fn() -> &'static str,
    ) -> Self {
        let taken = carrying.iter().filter_map(|name| name.take_along());
        let carried = taken.map(|value| Kept(Some(value))).collect();
        let span = CallSpan::offloaded(function, closure);
        Self { carrying, carried, deadline: deadline().map(Box::new), span }
    }

    /// Baggage for the polls of a future, which has spans of its own.
    pub(crate) fn of_polls(carrying: CarriedKeys) -> Self {
        let taken = carrying.iter().filter_map(|name| name.take_along());
        let carried = taken.map(|value| Kept(Some(value))).collect();
        Self { carrying, carried, deadline: deadline().map(Box::new), span: CallSpan::current() }
    }

    /// Baggage for parallel work of a scope.
    pub(crate) fn of_scope() -> Self {
        let carried = Box::default();
        Self {
            carrying: &[],
            carried,
            deadline: deadline().map(Box::new),
            span: CallSpan::current(),
        }
    }

    /// Calls `f` with this baggage in place, and without the baggage of a call below it.
    pub(crate) fn unpack<R: Send>(self, f: impl FnOnce() -> R + Send) -> R {
        through(f, |f| self.unpack_around(f)).0
    }

    /// [`unpack`](Self::unpack), compiled once for all closures.
    pub(crate) fn unpack_around(self, f: &mut (dyn FnMut() + Send)) {
        if self.set_aside().iter().all(|name| name.is_free()) {
            return self.unpack_here(f);
        }
        // A call below borrows one of the task-locals while it waits, so this thread can neither
        // set nor unset it. A new thread has nothing to set aside.
        let (core, tokio) = (context::current(), Handle::try_current().ok());
        let standing = Standing::of_this_thread();
        let run = move || {
            let _entered = tokio.as_ref().map(Handle::enter);
            if let Some(core) = core {
                context::adopt(core);
            }
            standing.around(|| self.unpack_here(f));
        };
        let ended = thread::scope(|scope| {
            match thread::Builder::new().name("loom-apart".to_owned()).spawn_scoped(scope, run) {
                Ok(thread) => thread.join(),
                Err(error) => panic!(
                    "a call further down this thread's stack borrows a task-local while it waits, \
                     so this work needs a thread of its own, and the system refuses it ({error}): \
                     copy the value out of `LocalKey::with` before waiting for parallel work"
                ),
            }
        });
        ended.unwrap_or_else(|payload| resume_unwind(payload));
    }

    /// Calls `f` with this baggage in place. It stays packed: the polls of one future have the same
    /// baggage. The thread runs nothing else below.
    pub(crate) fn lend(&mut self, f: &mut dyn FnMut()) {
        let Self { carrying, carried, deadline, span } = self;
        let _running = Running::enter(carrying);
        deadline::within(deadline.as_deref().copied(), || {
            lend_all(carried, &mut || span.lend(&mut *f));
        });
    }

    /// The task-locals that must have no value, unless this baggage carries one for them.
    fn set_aside(&self) -> Vec<&'static dyn Carry> {
        let below = RUNNING
            .with_borrow(|running| running.iter().copied().flatten().copied().collect::<Vec<_>>());
        // A task-local that had no value where the call was made must have none here either.
        let own =
            self.carrying.iter().copied().filter(|_| self.carried.len() < self.carrying.len());
        below.into_iter().chain(own).collect()
    }

    /// Unpacks on this thread, where all task-locals that are set aside are free.
    fn unpack_here(self, f: &mut dyn FnMut()) {
        deadline::within(self.deadline.as_deref().copied(), || self.unpack_in_time(f));
    }

    fn unpack_in_time(self, f: &mut dyn FnMut()) {
        let set_aside = self.set_aside();
        let Self { carrying, carried, span, .. } = self;
        let running = Running::enter(carrying);
        let is_alone = running.is_alone;
        if is_alone && carried.is_empty() && set_aside.is_empty() {
            return span.within(f);
        }
        let mut span = Some(span);
        let mut innermost = || span.take().into_iter().for_each(|span| span.within(&mut *f));
        let mut carried = Some(carried.into_vec().into_iter());
        let mut inner = || {
            carried.take().into_iter().for_each(|carried| within(carried, &mut innermost));
        };
        let mut outer = || without(&set_aside, &mut inner);
        if is_alone {
            outer();
        } else {
            spans::outside(outer);
        }
    }
}

/// Calls `f` within all carried values, nested one within another.
fn within(mut carried: vec::IntoIter<Kept>, f: &mut dyn FnMut()) {
    match carried.next().and_then(|mut kept| kept.0.take()) {
        None => f(),
        Some(first) => {
            let mut rest = Some(carried);
            first.within(&mut || rest.take().into_iter().for_each(|rest| within(rest, f)));
        }
    }
}

/// As [`within`], for values that are carried again.
fn lend_all(carried: &mut [Kept], f: &mut dyn FnMut()) {
    match carried {
        [] => f(),
        [first, rest @ ..] => match &mut first.0 {
            Some(first) => first.lend(&mut || lend_all(rest, f)),
            None => lend_all(rest, f),
        },
    }
}

/// Calls `f` while none of the task-locals has a value.
fn without(names: &[&'static dyn Carry], f: &mut dyn FnMut()) {
    match names {
        [] => f(),
        [first, rest @ ..] => first.without(&mut || without(rest, f)),
    }
}
