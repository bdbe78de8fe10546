//! What goes with work to other threads: the current span of `tracing`, and the task-locals that
//! an attribute names.
//!
//! A thread that waits for parallel work of one call may run another above it. What the lower one
//! has, task-locals and spans, is set aside meanwhile.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::vec;

use tokio::task::LocalKey;

use crate::bridge;

use super::ticket::How;
use super::trace::{self, Along};

/// What `carry(…)` may name: a static of `tokio::task_local!`.
#[diagnostic::on_unimplemented(
    message = "`carry` cannot take `{Self}` along",
    label = "expected a static of `tokio::task_local!` whose value is `Clone` and `Send`"
)]
pub trait Carry: Sync {
    /// A copy of what it is to the calling task, if it is anything.
    fn take_along(&'static self) -> Option<Box<dyn Carried>>;

    /// Calls `f` where it is nothing. Where the code around borrows it (`LocalKey::with`), it
    /// stays what it is.
    fn without(&'static self, f: &mut dyn FnMut());
}

/// The value of a task-local on its way.
pub trait Carried: Send {
    /// Calls `f` where it has this value.
    fn within(self: Box<Self>, f: &mut dyn FnMut());
}

/// The names after `carry`.
pub(crate) type Carrying = &'static [&'static dyn Carry];

struct Value<T: 'static> {
    key: &'static LocalKey<T>,
    value: T,
}

impl<T: Clone + Send + 'static> Carry for LocalKey<T> {
    fn take_along(&'static self) -> Option<Box<dyn Carried>> {
        let value = self.try_with(T::clone).ok()?;
        Some(Box::new(Value { key: self, value }))
    }

    fn without(&'static self, f: &mut dyn FnMut()) {
        let Ok(value) = self.try_with(T::clone) else { return f() };
        // Tokio panics where it is borrowed, and does not say so beforehand.
        let mut is_free = false;
        bridge::quietly(|| self.sync_scope(value.clone(), || is_free = true));
        if !is_free {
            return f();
        }
        // A scope whose own value was taken out is one where there is none.
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

thread_local! {
    /// What the calls carry that run on this thread, one above the other.
    static RUNNING: RefCell<Vec<Carrying>> = const { RefCell::new(Vec::new()) };
}

/// A call while it runs.
struct Running;

impl Running {
    /// Also what the calls below it carry, if there are any.
    fn enter(carrying: Carrying) -> (Self, Option<Vec<&'static dyn Carry>>) {
        let below = RUNNING.with_borrow_mut(|running| {
            let below = || running.iter().copied().flatten().copied().collect();
            let below = (!running.is_empty()).then(below);
            running.push(carrying);
            below
        });
        (Self, below)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

impl<T: Send> Carried for Value<T> {
    fn within(self: Box<Self>, f: &mut dyn FnMut()) {
        self.key.sync_scope(self.value, f);
    }
}

/// Packed where work is made, and unpacked where it runs.
pub(crate) struct Baggage {
    carrying: Carrying,
    /// Nothing is allocated for none.
    carried: Box<[Box<dyn Carried>]>,
    pub(crate) along: Along,
}

impl Baggage {
    /// For a call of `F`.
    pub(crate) fn pack<F>(how: &How) -> Self {
        let carrying = how.carrying;
        let carried = carrying.iter().filter_map(|name| name.take_along()).collect();
        Self { carrying, carried, along: Along::offloaded::<F>(how.function.as_deref()) }
    }

    /// Calls `f` with all of it in place, and nothing of what a call below it has.
    pub(crate) fn unpack<R>(self, f: impl FnOnce() -> R) -> R {
        let Self { carrying, carried, along } = self;
        let (_running, below) = Running::enter(carrying);
        if below.is_none() && carried.is_empty() {
            return along.within(f);
        }
        let (mut work, mut result) = (Some(|| along.within(f)), None);
        let mut innermost = || result = work.take().map(|work| work());
        let mut carried = Some(carried.into_vec().into_iter());
        let mut inner = || {
            carried.take().into_iter().for_each(|carried| within(carried, &mut innermost));
        };
        match below {
            Some(below) => trace::apart(|| without(&below, &mut inner)),
            None => inner(),
        }
        let Some(result) = result else { unreachable!("the innermost has called it") };
        result
    }
}

/// One within another.
fn within(mut carried: vec::IntoIter<Box<dyn Carried>>, f: &mut dyn FnMut()) {
    match carried.next() {
        None => f(),
        Some(first) => {
            let mut rest = Some(carried);
            first.within(&mut || rest.take().into_iter().for_each(|rest| within(rest, f)));
        }
    }
}

/// The same of those that are to be nothing.
fn without(names: &[&'static dyn Carry], f: &mut dyn FnMut()) {
    match names {
        [] => f(),
        [first, rest @ ..] => first.without(&mut || without(rest, f)),
    }
}
