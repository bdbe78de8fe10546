//! Local cores: tasks that stay on their core, state per core, tokio on the core, and the end.

mod clocks;
mod end;
mod tasks;

use loom::{ComputePriority, LoomBuilder, LoomRuntime};

fn with_cores(n: usize) -> LoomRuntime {
    let builder = LoomBuilder::new().tokio_threads(1).rayon_threads(1).local_cores(n);
    builder.compute_priority(ComputePriority::Normal).build().expect("it starts")
}
