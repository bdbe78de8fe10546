//! Layers for `tower` services: one sheds load, one names the requests whose polls are slow.

mod shed;
mod slow_polls;

pub use shed::{Answer, Empty, LoadShed, LoadShedFuture, LoadShedLayer, Shed};
pub use slow_polls::{MethodAndPath, NameOf, Named, SlowPollLayer, SlowPolls};
