//! All the state of one core.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// Why a core's state was not lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The calling thread is no local core.
    NotOnACore,
    /// It is lent already, further up on this thread, or is being made there.
    Lent,
    /// The core has ended.
    Gone,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOnACore => {
                "the state is a local core's, and this thread is none: give the core the work with \
                 `LocalCore::spawn_with`"
            }
            Self::Lent => {
                "the state is lent already, to a caller of this code: let that one end before, or \
                 hand down what it was lent"
            }
            Self::Gone => "the local core has ended, and its state with it",
        })
    }
}

impl std::error::Error for StateError {}

pub(super) type Value = Rc<RefCell<Box<dyn Any>>>;

/// All that one core has.
#[derive(Default)]
pub(super) struct States {
    values: RefCell<HashMap<u64, Option<Value>>>,
    is_over: Cell<bool>,
}

impl States {
    pub(super) fn find<T: 'static>(
        &self,
        number: u64,
        make: impl FnOnce() -> T,
    ) -> Result<Value, StateError> {
        if self.is_over.get() {
            return Err(StateError::Gone);
        }
        if let Some(value) = self.values.borrow().get(&number) {
            return value.clone().ok_or(StateError::Lent);
        }
        // Nothing stands for one that is being made, which may ask for others meanwhile.
        self.values.borrow_mut().insert(number, None);
        let making = Making(self, number);
        let value: Value = Rc::new(RefCell::new(Box::new(make())));
        std::mem::forget(making);
        self.values.borrow_mut().insert(number, Some(Rc::clone(&value)));
        Ok(value)
    }

    /// Drops them all.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        // Outside of the borrow: the drop of one may request another, which fails then.
        let values = self.values.take();
        for value in values.into_values() {
            crate::panics::drop_ignoring_panic(value);
        }
    }
}

/// Forgets what was to be made, where that panics.
struct Making<'a>(&'a States, u64);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.values.borrow_mut().remove(&self.1);
    }
}
