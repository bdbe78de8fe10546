//! How either side knows that it understands the other.

use core::fmt;

/// What every header begins with: `loom-abi`, as bytes.
pub const MAGIC: u64 = u64::from_le_bytes(*b"loom-abi");
/// Changes when anything that is there changes.
pub const MAJOR: u32 = 1;
/// Changes when something is added.
pub const MINOR: u32 = 0;

/// The first part of whatever may grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC`], or this is something else.
    pub magic: u64,
    /// [`MAJOR`] of whoever made it.
    pub major: u32,
    /// [`MINOR`] of whoever made it.
    pub minor: u32,
    /// Bytes of all of it, this header included.
    pub size: usize,
}

/// Why a header will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// It begins with something else.
    Magic(u64),
    /// It has this major number.
    Major(u32),
    /// It is of an older minor number, and too small.
    Size {
        /// Its minor number.
        minor: u32,
        /// How many bytes it has.
        found: usize,
        /// How many it should have.
        needed: usize,
    },
}

impl Header {
    /// The header of a `T` that is made here.
    #[must_use]
    pub const fn of<T>() -> Self {
        Self { magic: MAGIC, major: MAJOR, minor: MINOR, size: size_of::<T>() }
    }

    /// Whether what follows can be read as the `T` of this version.
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
    /// The first thing that is wrong.
    pub const fn check<T>(&self) -> Result<(), Lack> {
        if self.magic != MAGIC {
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
                "it begins with {found:#018x} where {MAGIC:#018x} was expected: it is not of \
                 loom-abi, or is damaged"
            ),
            Self::Major(found) => write!(
                f,
                "it is of version {found} of loom-abi, this side of version {MAJOR}: build both \
                 against one major version"
            ),
            Self::Size { minor, found, needed } => write!(
                f,
                "it has {found} bytes where {needed} are needed, being of version {MAJOR}.{minor} \
                 of loom-abi, and this side of {MAJOR}.{MINOR}: build the other side against a \
                 version as new as this one"
            ),
        }
    }
}

impl core::error::Error for Lack {}
