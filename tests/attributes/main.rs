//! The attributes on functions of every shape, and the properties that the functions keep.

mod entries;
mod frameworks;
mod matrix;
mod methods;
mod options;
mod scope;
mod shapes;

/// Whether a thread is of either compute pool: where neighbours take the CPUs, the one of normal
/// priority runs the work.
fn is_of_pool(thread: &str) -> bool {
    ["loom-rayon-", "loom-norm-"].iter().any(|pool| thread.starts_with(pool))
}
