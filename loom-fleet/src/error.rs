//! What is wrong with the settings of a fleet.

use thiserror::Error;

/// A setting of a [`Fleet`](crate::Fleet) that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetConfigError {
    /// The name is a part of the messages' subjects.
    #[error(
        "the fleet's name is {0:?}; it is made of letters, digits, `-` and `_`, such as `shop`"
    )]
    Name(String),
    /// The address of the server cannot be used.
    #[error(
        "the address of the NATS server cannot be used: {0}; expected one as `nats://host:4222`"
    )]
    Address(String),
    /// A worker that takes no calls serves nobody.
    #[error(
        "a worker takes at most {0} calls at a time; expected 1 to 65536, or leave `most_calls` out"
    )]
    MostCalls(usize),
    /// A time that no call could keep.
    #[error("`{0}` is {1:?}; expected 10 ms to 24 h")]
    Time(&'static str, std::time::Duration),
    /// A variable of the environment.
    #[error("`{name}` is {value:?}; expected {expected}")]
    Variable {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The functions that this program marks with `fleet` contain two with the same name and version.
    #[error(
        "two functions with `fleet` are called `{name}` in version {version}: give one a `key`"
    )]
    Twice {
        /// The name.
        name: String,
        /// The version.
        version: String,
    },
}
