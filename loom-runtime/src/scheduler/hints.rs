//! Traits by which an input states its expected cost and its size, and the look-up of hints by
//! path.

use std::rc::Rc;

use crate::sync::Arc;

use super::ComputeHint;

/// States what a computation on an input is expected to cost, for
/// [`AdaptiveMap::hint_by`](crate::AdaptiveMap::hint_by) and for decisions by hand.
///
/// Numbers, text, vectors, arrays and slices have no expectation; a container of one value has the
/// expectation of that value.
///
/// ```
/// use loom::mab::{ComputeHint, ComputeHintProvider};
/// struct Picture(Vec<u8>);
/// impl ComputeHintProvider for Picture {
///     fn compute_hint(&self) -> ComputeHint {
///         if self.0.len() < 4096 { ComputeHint::Low } else { ComputeHint::High }
///     }
/// }
/// assert_eq!(Some(Picture(vec![0; 10])).compute_hint(), ComputeHint::Low);
/// ```
pub trait ComputeHintProvider {
    /// The expected cost; [`Unknown`](ComputeHint::Unknown) by default.
    fn compute_hint(&self) -> ComputeHint {
        ComputeHint::Unknown
    }
}

macro_rules! expect_nothing {
    ($($ty:ty)*) => { $(impl ComputeHintProvider for $ty {})* };
}

expect_nothing!(() bool char str String f32 f64);
expect_nothing!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl<T> ComputeHintProvider for Vec<T> {}
impl<T> ComputeHintProvider for [T] {}
impl<T, const N: usize> ComputeHintProvider for [T; N] {}

macro_rules! expect_as_inside {
    ($($ty:ty)*) => {
        $(impl<T: ComputeHintProvider + ?Sized> ComputeHintProvider for $ty {
            fn compute_hint(&self) -> ComputeHint {
                (**self).compute_hint()
            }
        })*
    };
}

expect_as_inside!(&T &mut T Box<T> Arc<T> Rc<T>);

impl<T: ComputeHintProvider> ComputeHintProvider for Option<T> {
    fn compute_hint(&self) -> ComputeHint {
        // `None` holds no value to compute on.
        self.as_ref().map_or(ComputeHint::Low, T::compute_hint)
    }
}

impl<T: ComputeHintProvider, E> ComputeHintProvider for Result<T, E> {
    fn compute_hint(&self) -> ComputeHint {
        self.as_ref().map_or(ComputeHint::Low, T::compute_hint)
    }
}

impl<A: ComputeHintProvider> ComputeHintProvider for (A,) {
    fn compute_hint(&self) -> ComputeHint {
        self.0.compute_hint()
    }
}

impl<A: ComputeHintProvider, B: ComputeHintProvider> ComputeHintProvider for (A, B) {
    /// The hint of the first value; if that is unknown, the hint of the second.
    fn compute_hint(&self) -> ComputeHint {
        match self.0.compute_hint() {
            ComputeHint::Unknown => self.1.compute_hint(),
            hint => hint,
        }
    }
}

/// A whole number, as `size = …` needs one. A negative number counts by its absolute value.
#[diagnostic::on_unimplemented(
    message = "`size` needs a whole number, found `{Self}`",
    label = "expected a whole number, such as `data.len()`",
    note = "calls are learned apart by how many binary digits it has"
)]
pub trait Magnitude {
    /// The absolute value; `u64::MAX` if that does not fit.
    fn magnitude(self) -> u64;
}

macro_rules! magnitude {
    ($($signed:ty, $unsigned:ty;)*) => {
        $(impl Magnitude for $signed {
            fn magnitude(self) -> u64 {
                self.unsigned_abs().magnitude()
            }
        }
        impl Magnitude for $unsigned {
            fn magnitude(self) -> u64 {
                u64::try_from(self).unwrap_or(u64::MAX)
            }
        })*
    };
}

magnitude! { i8, u8; i16, u16; i32, u32; i64, u64; i128, u128; isize, usize; }

/// The hint that a file has for an item; `entries` are the file's entries for items of that name.
#[must_use]
pub const fn hint_of(module: &str, item: &str, entries: &[(&str, ComputeHint)]) -> ComputeHint {
    let mut i = 0;
    while i < entries.len() {
        let (path, hint) = entries[i];
        if is_path(path.as_bytes(), module.as_bytes(), item.as_bytes()) {
            return hint;
        }
        i += 1;
    }
    ComputeHint::Unknown
}

/// Whether `path` is the path of `item` in `module`.
const fn is_path(path: &[u8], module: &[u8], item: &[u8]) -> bool {
    let Some(at) = starts_with(path, module, 0) else { return false };
    let Some(at) = starts_with(path, b"::", at) else { return false };
    matches!(starts_with(path, item, at), Some(end) if end == path.len())
}

/// Where `part` ends in `path`, if `path` has it at `at`. The `r#` of raw identifiers is skipped.
const fn starts_with(path: &[u8], part: &[u8], mut at: usize) -> Option<usize> {
    let mut i = 0;
    while i < part.len() {
        let is_raw = part[i] == b'r' && i + 1 < part.len() && part[i + 1] == b'#';
        if is_raw {
            i += 2;
            continue;
        }
        if at >= path.len() || path[at] != part[i] {
            return None;
        }
        at += 1;
        i += 1;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Expensive;

    impl ComputeHintProvider for Expensive {
        fn compute_hint(&self) -> ComputeHint {
            ComputeHint::High
        }
    }

    #[test]
    fn containers_expect_what_is_in_them() {
        assert_eq!(Box::new(&Expensive).compute_hint(), ComputeHint::High);
        assert_eq!(Ok::<_, ()>(Some(Expensive)).compute_hint(), ComputeHint::High);
        assert_eq!(None::<Expensive>.compute_hint(), ComputeHint::Low);
        assert_eq!((7, Expensive).compute_hint(), ComputeHint::High);
        assert_eq!(vec![Expensive].compute_hint(), ComputeHint::Unknown);
    }

    #[test]
    fn a_hint_is_that_of_the_whole_path() {
        const ENTRIES: &[(&str, ComputeHint)] =
            &[("shop::sum", ComputeHint::High), ("shop::carts::sum", ComputeHint::Low)];
        assert_eq!(hint_of("shop", "sum", ENTRIES), ComputeHint::High);
        assert_eq!(hint_of("shop::carts", "sum", ENTRIES), ComputeHint::Low);
        assert_eq!(hint_of("shop::cart", "ssum", ENTRIES), ComputeHint::Unknown);
        assert_eq!(hint_of("", "sum", ENTRIES), ComputeHint::Unknown);
        assert_eq!(hint_of("shop::r#carts", "sum", ENTRIES), ComputeHint::Low);
        assert_eq!(hint_of("sho", "sum", ENTRIES), ComputeHint::Unknown);
    }

    #[test]
    fn any_whole_number_is_a_size() {
        assert_eq!(7_u8.magnitude(), 7);
        assert_eq!((-7_i64).magnitude(), 7);
        assert_eq!(i128::MIN.magnitude(), u64::MAX);
        assert_eq!(usize::MAX.magnitude(), u64::MAX);
    }
}
