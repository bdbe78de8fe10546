//! The values of all `CoreState`s on one core.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// Why a core's state could not be borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The calling thread is not a local core.
    NotOnACore,
    /// A caller of this code has already borrowed the state, or is making it.
    Lent,
    /// The core has ended.
    Gone,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOnACore => {
                "the state belongs to a local core, and this thread is not one: send the work to a \
                 core with `LocalCore::spawn_with`"
            }
            Self::Lent => {
                "a caller of this code has already borrowed the state: end that borrow first, or \
                 pass the borrowed value down"
            }
            Self::Gone => "the local core has ended, and its state with it",
        })
    }
}

impl std::error::Error for StateError {}

pub(super) type Value = Rc<RefCell<Box<dyn Any>>>;

/// The values of one core, by the number of their `CoreState`.
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
        // `None` marks a value that is being made. No borrow is held: `make` may use other states.
        self.values.borrow_mut().insert(number, None);
        let making = Making(self, number);
        let value: Value = Rc::new(RefCell::new(Box::new(make())));
        std::mem::forget(making);
        self.values.borrow_mut().insert(number, Some(Rc::clone(&value)));
        Ok(value)
    }

    /// Drops all values.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        // Dropped without a borrow: the drop of a value may request another one, which then fails.
        let values = self.values.take();
        for value in values.into_values() {
            crate::panics::drop_ignoring_panic(value);
        }
    }
}

/// Removes the mark of a value whose `make` panics.
struct Making<'a>(&'a States, u64);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.values.borrow_mut().remove(&self.1);
    }
}
