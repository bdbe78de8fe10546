//! Calls that may run on another process.
//!
//! Owns what travels, the question whether a call goes, and what a call does that comes from elsewhere. How it
//! travels is the transport's; what a far call costs is known to `scheduler/far.rs`.

mod along;
mod attempt;
mod attribute;
mod choice;
mod codec;
mod journey;
mod serve;
mod verdict;

pub use along::{TravelsAlong, write};
pub use attempt::{Attempt, attempt};
pub use attribute::{
    FarCall, far0, far1, far2, far3, far4, far5, far6, far7, far8, far9, far10, far11, far12,
    farfuture0, farfuture1, farfuture2, farfuture3, farfuture4, farfuture5, farfuture6, farfuture7,
    farfuture8, farfuture9, farfuture10, farfuture11, farfuture12,
};
pub(super) use choice::would_go;
pub use codec::Travels;
pub use serve::{
    FLEET, serve0, serve1, serve2, serve3, serve4, serve5, serve6, serve7, serve8, serve9, serve10,
    serve11, serve12, spawn_answer,
};
pub(crate) use verdict::far_verdict;
