//! The name under which a function is learned and reported.

use std::any;
use std::fmt;

/// Identifies a function.
///
/// The key of a `#[loom::compute]` function is made from its item path and from the line and column
/// of its attribute, so functions of one name have different keys. For generic functions and
/// methods the types are added at the first call. With one compiler the key is the same in each
/// build, as long as the function does not move. With `key = "…"` in the attribute the key is
/// [`from_name`](Self::from_name) of that name. The key of a closure is that of the name in its
/// [`FunctionStats`](crate::FunctionStats).
///
/// ```
/// use loom::mab::FunctionKey;
/// const RESIZE: FunctionKey = FunctionKey::from_path("shop::images::resize");
/// assert_eq!(RESIZE, FunctionKey::from_name("shop::images::resize"));
/// assert_ne!(RESIZE, FunctionKey::from_name("shop::images::crop"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FunctionKey(pub u64);

impl FunctionKey {
    /// The key of an item path, at compile time: FNV-1a, 64 bits, over its bytes
    /// (Fowler, Noll and Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>).
    #[must_use]
    pub const fn from_path(path: &str) -> Self {
        Self(OFFSET_BASIS).and(path)
    }

    /// The key of an item in a module, whose attribute is at `line` and `column`.
    pub(crate) fn of_item(module: &str, item: &str, line: u32, column: u32) -> Self {
        Self::from_path(module).and("::").and(item).and(&format!(":{line}:{column}"))
    }

    /// The key of this name with `name` appended.
    pub(crate) const fn and(self, name: &str) -> Self {
        let bytes = name.as_bytes();
        let Self(mut hash) = self;
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
            i += 1;
        }
        Self(hash)
    }

    /// The key of any name; the same as [`from_path`](Self::from_path).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::from_path(name)
    }

    /// The key of a type, by its [`type_name`](any::type_name).
    #[must_use]
    pub fn from_type<T: 'static>() -> Self {
        Self::from_path(any::type_name::<T>())
    }

    /// [`from_type`](Self::from_type) for types that may be unsized or borrow.
    #[must_use]
    pub fn from_type_name<T: ?Sized>() -> Self {
        Self::from_path(any::type_name::<T>())
    }
}

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl fmt::Debug for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionKey({:#018x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionKey;

    #[test]
    fn items_have_keys_by_module_name_and_place() {
        fn key(module: &str, item: &str, line: u32, column: u32) -> u64 {
            FunctionKey::of_item(module, item, line, column).0
        }
        let mut keys = vec![
            key("shop", "sum", 1, 1),
            key("shop", "sum", 1, 2),
            key("shop", "sum", 2, 1),
            key("shop", "sums", 1, 1),
            key("shops", "um", 1, 1),
            key("shop", "", 1, 1),
            key("shop\0", "sum", 1, 1),
        ];
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 7, "two items have one key");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of the FNV authors for the 64-bit 1a variant.
        assert_eq!(FunctionKey::from_path("").0, 0xcbf2_9ce4_8422_2325);
        assert_eq!(FunctionKey::from_path("a").0, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(FunctionKey::from_path("foobar").0, 0x8594_4171_f739_67e8);
    }
}
