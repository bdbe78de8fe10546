//! What goes with work to other threads: the current span of `tracing`, and the task-locals that
//! an attribute names.

use std::vec;

use tokio::task::LocalKey;

use super::ticket::How;
use super::trace::Along;

/// What `carry(…)` may name: a static of `tokio::task_local!`.
#[diagnostic::on_unimplemented(
    message = "`carry` cannot take `{Self}` along",
    label = "expected a static of `tokio::task_local!` whose value is `Clone` and `Send`"
)]
pub trait Carry: Sync {
    /// A copy of what it is to the calling task, if it is anything.
    fn take_along(&'static self) -> Option<Box<dyn Carried>>;
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
}

impl<T: Send> Carried for Value<T> {
    fn within(self: Box<Self>, f: &mut dyn FnMut()) {
        self.key.sync_scope(self.value, f);
    }
}

/// Packed where work is made, and unpacked where it runs.
pub(crate) struct Baggage {
    /// Nothing is allocated for none.
    carried: Box<[Box<dyn Carried>]>,
    pub(crate) along: Along,
}

impl Baggage {
    /// For a call of `F`.
    pub(crate) fn pack<F>(how: &How) -> Self {
        let carried = how.carrying.iter().filter_map(|name| name.take_along()).collect();
        Self { carried, along: Along::offloaded::<F>(how.function.as_deref()) }
    }

    /// Calls `f` with all of it in place.
    pub(crate) fn unpack<R>(self, f: impl FnOnce() -> R) -> R {
        let Self { carried, along } = self;
        if carried.is_empty() {
            return along.within(f);
        }
        let (mut f, mut result) = (Some(|| along.within(f)), None);
        within(carried.into_vec().into_iter(), &mut || result = f.take().map(|f| f()));
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
