//! The interface of all contenders.

use std::time::Duration;

use loom::ComputeHint;
use tokio::runtime::Handle;

use crate::work::burn;

/// A way to run a closure from an async task.
pub(crate) trait Contender: Send + Sync + 'static {
    /// The tokio runtime that the calls are made on.
    fn tokio(&self) -> Handle;

    /// One call of `f`, whose expected cost is `hint`.
    fn call<F>(&self, hint: ComputeHint, f: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static;

    /// The same for a call whose caller knows the size of its input.
    fn call_sized<F>(&self, _size: u64, f: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.call(ComputeHint::Unknown, f)
    }

    /// Two pieces of work at the same time, each as long as `work`. Two calls, unless the contender
    /// has a better way.
    fn pair(&self, work: Duration) -> impl Future<Output = [u64; 2]> + Send {
        let piece = move || burn(work);
        async move {
            let (one, other) = tokio::join!(
                self.call(ComputeHint::High, piece),
                self.call(ComputeHint::High, piece)
            );
            [one, other]
        }
    }
}
