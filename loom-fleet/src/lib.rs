#![doc = include_str!("../README.md")]

mod desk;
mod error;
mod fleet;
mod hub;
#[cfg(feature = "nats")]
mod nats;
mod spans;

pub use error::FleetConfigError;
pub use fleet::Fleet;
pub use hub::Hub;
pub use spans::Propagate;
