//! Programs in the words of the five systems whose work Loom takes over: what their documentation
//! shows, runs here, and means the same.

mod loom_rs;
mod luminal;
#[cfg(unix)]
mod nexus;
mod tick;
mod tokio;

use loom::{LoomBuilder, LoomRuntime};

/// A runtime that shares the machine with the tests beside it.
fn runtime() -> LoomRuntime {
    let builder = LoomBuilder::new().pin_threads(false).tokio_threads(2).rayon_threads(2);
    builder.build().expect("the system has threads")
}
