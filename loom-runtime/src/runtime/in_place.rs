//! Blocking within async code and compute calls.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task;

use crate::core::{Told, context};
use crate::panics::ignore_panic;
use crate::threads::lend_place;

/// Runs `f`, which may block, on the calling thread, and keeps its place in use meanwhile.
///
/// - On a compute thread, a spare thread takes the place and runs compute calls, so that what `f`
///   waits for may need the compute pool ([`max_spares`](crate::LoomBuilder::max_spares)). Work that
///   was given to the pool itself (`rayon::spawn`, `install`) needs a thread that does not wait.
/// - On a worker of a multi-thread tokio runtime, another thread takes over the worker's tasks, as
///   with [`tokio::task::block_in_place`]. There `f` may also use tokio's blocking functions, and
///   so it may on a thread that drives a future of such a runtime, `main`'s included.
/// - On any other thread it calls `f`, also on a compute thread of a plug-in, which has no spares. A
///   current-thread runtime and a local core run nothing else meanwhile, and tokio refuses its blocking
///   functions there. Where a thread of a multi-thread runtime drives a `LocalSet`, tokio panics first;
///   Loom catches that panic, but the program's panic hook runs, and with `panic = "abort"` the process
///   ends. Say `spawn_blocking` there.
///
/// So code that both arms of a compute function share may call it wherever it blocks. It belongs to
/// no runtime, and works in a program without one.
///
/// Cost: on a compute thread, some short locks, the wake of a spare if calls wait, and the start of a
/// thread if there are fewer spares than threads that wait. On a tokio worker, the hand-over of the worker
/// to another thread (`loom-bench micro`, row `block_in_place`). Elsewhere, some loads.
///
/// Cancellation: dropping the call's future does not end `f`.
///
/// ```
/// # #[loom::main]
/// # async fn main() {
/// # use std::sync::mpsc;
/// #[loom::compute]
/// fn sum_of_two(inputs: mpsc::Receiver<u64>) -> u64 {
///     loom::block_in_place(|| inputs.iter().take(2).sum())
/// }
///
/// let (sender, inputs) = mpsc::channel();
/// let sum = tokio::spawn(async { sum_of_two(inputs).await });
/// sender.send(1).expect("it is received");
/// sender.send(2).expect("it is received");
/// assert_eq!(sum.await.expect("no panic"), 3);
/// # }
/// ```
///
/// # Panics
///
/// On a compute thread whose place no spare can take: as many threads wait as
/// [`max_spares`](crate::LoomBuilder::max_spares) allows, or the system refuses the thread. `f` is
/// not called then. If `f` panics.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    match lend_place() {
        // A poll of a compute future is driven by tokio, which may block with this.
        Ok(Some(_lent)) => return Told::outside(|| task::block_in_place(f)),
        Ok(None) => {}
        Err(no_spare) => panic!("{no_spare}"),
    }
    let (mut f, mut result) = (Some(f), None);
    // The first call runs `f`, and the others do nothing.
    let mut run = || {
        if let Some(f) = f.take() {
            result = Some(catch_unwind(AssertUnwindSafe(f)));
        }
    };
    let is_on_a_host = context::current().is_some_and(|core| core.owner.block_in_place(&mut run));
    if !is_on_a_host && is_in_a_multi_thread_runtime() {
        // Tokio panics where the thread drives another runtime or a `LocalSet`, and has no query for
        // that. It panics before it calls the closure.
        ignore_panic(|| Told::outside(|| task::block_in_place(&mut run)));
    }
    run();
    match result {
        Some(Ok(value)) => value,
        Some(Err(payload)) => resume_unwind(payload),
        None => unreachable!("it has run"),
    }
}

/// Whether tokio's `block_in_place` may have something to do: on a worker, or where the thread drives
/// a future.
fn is_in_a_multi_thread_runtime() -> bool {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread)
}
