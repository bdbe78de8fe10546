//! The attributes of Loom. Use them through the `loom-runtime` package, as `loom::main`,
//! `loom::test` and `loom::compute`.
//!
//! Each attribute goes through the same stages, a file each: the arguments and the item
//! are parsed, checked as a whole, and only then expanded. All mistakes are reported at
//! once, and the item is emitted beside them so that none causes a second one.

mod args;
mod body;
mod compute;
mod diag;
mod entry;
#[cfg(test)]
mod golden;
#[cfg(feature = "hints")]
mod hints;
mod item;
mod paths;
mod recover;

use proc_macro::TokenStream;

/// Marks a function as CPU work: each call runs inline on the thread that asks or on the
/// compute pool, whichever has measured as cheaper for this function.
///
/// It takes a `fn` or an `async fn` without `.await`, and yields an `async fn` with the
/// same name, arguments and result. In the body, the function's own name means the plain,
/// synchronous function, so that it may call itself.
///
/// ```
/// #[loom::compute(hint = "medium")]
/// fn word_count(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// #[loom::main]
/// async fn main() {
///     assert_eq!(word_count("one two three".to_owned()).await, 3);
/// }
/// ```
///
/// It also works without a Loom runtime, in a plain `#[tokio::main]` program, on a
/// compute pool that the process starts at its first use.
///
/// # Arguments
///
/// | argument | value | meaning |
/// | --- | --- | --- |
/// | `hint` | `"low"`, `"medium"`, `"high"`, `"unknown"` | what a call is expected to cost: under 50 µs, 50 to 500 µs, over 500 µs; decides until there are measurements |
/// | `size` | an expression of a whole number, which may look at the arguments | how large the input is: calls are learned apart by its magnitude (its binary digits), so that a large input is not taken for a small one |
/// | `crate` | a path | where `loom` is, if it was renamed |
///
/// # Data
///
/// The body may run on another thread, so arguments and results are `Send + 'static`:
/// `String` instead of `&str`, `Vec<T>` instead of `&[T]`, `Arc<T>` instead of `&T`.
///
/// # Panics and cancellation
///
/// A panic is raised again where the call is awaited. Dropping the future before it was
/// ever polled does nothing, as with any `async fn`; after that it cancels work that has
/// not started.
#[proc_macro_attribute]
pub fn compute(args: TokenStream, item: TokenStream) -> TokenStream {
    compute::compute(args.into(), item.into()).into()
}

/// Builds a runtime, runs the body on it, and drains what the body left behind.
///
/// ```
/// #[loom::main(prefix = "shop", tokio_threads = 2, shutdown_timeout = "10s")]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let n: u32 = "42".parse()?;
///     println!("{n}");
///     Ok(())
/// }
/// ```
///
/// After the body has returned, tracked work (`spawn_async`, `spawn_compute`, compute
/// functions) and then blocking functions may end within `shutdown_timeout`. A runtime that
/// cannot be built says why on standard error and ends the process with code 1.
///
/// # Arguments
///
/// Each is a setting of `LoomBuilder`, by its name there.
///
/// | argument | value | default |
/// | --- | --- | --- |
/// | `prefix` | a string | `"loom"` |
/// | `tokio_threads` | 1 to 8192 | one for each CPU of the budget, or one in all with `split` |
/// | `rayon_threads` | 1 to 8192 | one for each CPU of the budget, or for each that is left with `split` |
/// | `cpuset` | a list such as `"0-3,8"` | all CPUs that the process may use |
/// | `placement` | `"shared"`, `"split"` | `"shared"` |
/// | `compute_priority` | `"idle"`, `"nice"`, `"normal"` | `"idle"` |
/// | `pin` | `true`, `false`, `"required"` | `true` |
/// | `tokio_flavor` | `"multi_thread"`, `"current_thread"` | `"multi_thread"` |
/// | `compute_queue` | 1 to 16777216, the calls that may wait before the `try_` forms refuse | 4096 |
/// | `shutdown_timeout` | a duration such as `"500ms"`, `"5s"` or `"2min"` | `"5s"` |
/// | `config` | a file in TOML, YAML or JSON, from the working directory at the start; needs the feature `config-files` of `loom-runtime` | none |
/// | `env_prefix` | with `"MYAPP"`, settings come from `MYAPP_TOKIO_THREADS` and so on | none |
/// | `crate` | a path | where `loom` is, if it was renamed |
///
/// Later wins: defaults, `config`, `env_prefix`, the other arguments. What is given here can
/// be changed by neither file nor environment.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::entry(entry::Kind::Main, args.into(), item.into()).into()
}

/// Runs an async test on a runtime of its own: two I/O workers and two compute threads,
/// neither pinned nor of lower priority, so that a busy machine does not starve a test.
///
/// ```
/// #[loom::test]
/// async fn sums_add_up() {
///     assert_eq!(loom::spawn_compute(|| 1 + 1).await, 2);
/// }
/// ```
///
/// It takes the arguments of [`macro@main`]; `shutdown_timeout` says nothing here, since a test
/// waits for nothing after its body. `should_panic`, `ignore` and a
/// `Result` as the return type work as on any test.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::entry(entry::Kind::Test, args.into(), item.into()).into()
}
