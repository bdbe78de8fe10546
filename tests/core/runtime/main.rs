//! The runtime: where its threads run, work, panics that reach the caller, and the end.

mod crowd;
mod ending;
mod forced;
mod io_side;
mod spawning;
mod threads;

use std::any::Any;
use std::thread;

use loom::{ComputePriority, LoomBuilder, LoomRuntime};

/// A builder of a runtime whose compute work stays in one class. Where it may move to another class, it
/// moves to other threads, and those that a test keeps busy keep nothing back.
pub(crate) fn threads(tokio: usize, rayon: usize) -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(tokio).rayon_threads(rayon);
    builder.compute_priority(ComputePriority::Normal)
}

pub(crate) fn small() -> LoomRuntime {
    threads(2, 2).pin(false).build().expect("a small runtime starts")
}

pub(crate) fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}
