//! The names of closures. The compiler names all closures of one function alike, so a closure's name says
//! where it is, too.

use std::any::{self, TypeId};
use std::collections::BTreeMap;
use std::panic::Location;

use crate::sync::{Mutex, PoisonError};

use super::FunctionKey;
use super::instance::{Instance, function_of, is_closure};

/// The instance of what was called at this place first, under a given name or one of its own.
/// `is_of_place`: the same type has another instance at another place.
pub(super) fn instance<T: 'static>(
    place: &'static Location<'static>,
    given: Option<&'static str>,
    is_of_place: bool,
) -> Instance {
    let path = any::type_name::<T>();
    let name = match given {
        Some(name) => name,
        None if is_of_place || is_closure(path) => {
            numbered(format!("{} at {place}", function_of(path)))
        }
        // A function that is passed by its name has a place of its own.
        None => path,
    };
    Instance { of: TypeId::of::<T>(), path, name, key: FunctionKey::from_path(name) }
}

/// The name, with a number if an earlier closure of another type has it: a function that takes closures
/// and calls Loom is one place for all of them. Leaks once per type.
fn numbered(name: String) -> &'static str {
    static NAMES: Mutex<BTreeMap<&'static str, u32>> = Mutex::new(BTreeMap::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(closures) = names.get_mut(&*name) {
        *closures += 1;
        return format!("{name} #{closures}").leak();
    }
    let name = name.leak();
    names.insert(name, 1);
    name
}
