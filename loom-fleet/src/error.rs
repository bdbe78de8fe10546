//! What is wrong with a fleet.

use std::io;

use thiserror::Error;

/// A [`Fleet`](crate::Fleet) that cannot be joined.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FleetConfigError {
    /// The address of the server cannot be used.
    #[error(
        "the address of the NATS server cannot be used: {0}; expected one as `nats://host:4222`"
    )]
    Address(String),
    /// The file that `fleet.credentials` names cannot be used.
    #[error(
        "the credentials in `{file}` cannot be used: {error}; expected a file that `nsc` or the server's \
         operator has made"
    )]
    Credentials {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: io::Error,
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
