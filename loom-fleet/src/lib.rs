#![doc = include_str!("../README.md")]

mod desk;
#[cfg(feature = "nats")]
mod environment;
mod error;
mod fleet;
mod hub;
#[cfg(feature = "nats")]
mod nats;

pub use error::FleetConfigError;
pub use fleet::Fleet;
pub use hub::Hub;
