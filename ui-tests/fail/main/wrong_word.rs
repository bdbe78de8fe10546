//! Words that are none of the known ones, and strings that say nothing.

#[loom::main(tokio_flavor = "multi_threaded", cpuset = "", env_prefix = 3, config = "", compute_priority = "lazy")]
async fn main() {}
