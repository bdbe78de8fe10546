//! Version headers, by which each side checks that it understands the other.

use core::fmt;

/// The first bytes of every header: `loom-abi`.
pub const MAGIC: [u8; 8] = *b"loom-abi";
/// The major version: changes when an existing part changes.
pub const MAJOR: u32 = 2;
/// The minor version: changes when a part is added.
pub const MINOR: u32 = 0;

/// The first part of every structure that may grow.
///
/// Its alignment is that of a word, and so is that of each structure that begins with it: none of
/// them ends in padding, where a new field would not change the size.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC`]; any other value means that this is not a header of `loom-abi`.
    pub magic: [u8; 8],
    /// [`MAJOR`] of the side that made the structure.
    pub major: u32,
    /// [`MINOR`] of the side that made the structure.
    pub minor: u32,
    /// The size of the whole structure in bytes, this header included.
    pub size: usize,
}

/// Why a header does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// It begins with this value instead of [`MAGIC`].
    Magic([u8; 8]),
    /// It has this major number.
    Major(u32),
    /// The structure is too small, since it has an older minor number.
    Size {
        /// Its minor number.
        minor: u32,
        /// How many bytes the structure has.
        found: usize,
        /// How many bytes it should have.
        needed: usize,
    },
}

impl Header {
    /// The header of a `T` that this side makes.
    #[must_use]
    pub const fn of<T>() -> Self {
        Self { magic: MAGIC, major: MAJOR, minor: MINOR, size: size_of::<T>() }
    }

    /// Checks that the structure with this header can be read as the `T` of this version.
    ///
    /// ```
    /// use loom_abi::{Header, Lack, Table};
    ///
    /// let own = Header::of::<Table>();
    /// assert_eq!(own.check::<Table>(), Ok(()));
    /// let newer = Header { minor: own.minor + 1, size: own.size + 8, ..own };
    /// assert_eq!(newer.check::<Table>(), Ok(()));
    /// let other = Header { major: own.major + 1, ..own };
    /// assert_eq!(other.check::<Table>(), Err(Lack::Major(own.major + 1)));
    /// ```
    ///
    /// # Errors
    ///
    /// The first part of the header that does not fit.
    pub const fn check<T>(&self) -> Result<(), Lack> {
        if u64::from_ne_bytes(self.magic) != u64::from_ne_bytes(MAGIC) {
            return Err(Lack::Magic(self.magic));
        }
        if self.major != MAJOR {
            return Err(Lack::Major(self.major));
        }
        let needed = size_of::<T>();
        if self.size < needed {
            return Err(Lack::Size { minor: self.minor, found: self.size, needed });
        }
        Ok(())
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic(found) => write!(
                f,
                "it begins with `{}` where `{}` was expected: it is no structure of loom-abi, or \
                 it is damaged",
                found.escape_ascii(),
                MAGIC.escape_ascii(),
            ),
            Self::Major(found) => write!(
                f,
                "it has major version {found} of loom-abi, and this side has {MAJOR}: build both \
                 sides against one major version"
            ),
            Self::Size { minor, found, needed } => write!(
                f,
                "it has {found} bytes where {needed} are needed; it has version {MAJOR}.{minor} \
                 of loom-abi, and this side has {MAJOR}.{MINOR}: build the other side against a \
                 version that is at least as new as this one"
            ),
        }
    }
}

impl core::error::Error for Lack {}
