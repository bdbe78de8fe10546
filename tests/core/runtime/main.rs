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

pub(crate) fn small() -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(2)
        .rayon_threads(2)
        .pin(false)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("a small runtime starts")
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
