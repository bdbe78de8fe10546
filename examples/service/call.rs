//! How handlers call compute functions.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::task;

/// Whether each call has a thread of `spawn_blocking`, as in one run of the demo.
pub(crate) static ON_BLOCKING_THREADS: AtomicBool = AtomicBool::new(false);

/// Awaits a call of a compute function.
pub(crate) async fn call<F>(call: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    if !ON_BLOCKING_THREADS.load(Ordering::Relaxed) {
        return call.await;
    }
    let tokio = Handle::current();
    match task::spawn_blocking(move || tokio.block_on(call)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            // As if the function had been called here.
            Ok(payload) => resume_unwind(payload),
            // The service ends.
            Err(_) => pending().await,
        },
    }
}
