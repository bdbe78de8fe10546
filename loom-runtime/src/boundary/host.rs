//! The functions of a runtime that a guest may call.

use std::time::Duration;

use loom_abi::{Place, Pressure, Status, Table, ThreadKind, Work};

use super::future::ForeignFuture;
use super::job::{ForeignCall, ForeignJob};
use super::registered::ForeignGuest;

/// The functions of a runtime that a guest may call.
///
/// An implementation must not rely on anything that the guest does not state.
pub(crate) trait Host: Send + Sync + 'static {
    /// A handle that can abort a task.
    type Task: Send + Sync + 'static;

    /// The table of this type's functions: a static, which has one address.
    fn table() -> &'static Table;
    fn facts(&self) -> Facts<'_>;
    fn register(&self, guest: ForeignGuest) -> Status;
    fn unregister(&self);
    fn spawn(&self, future: ForeignFuture) -> Result<Self::Task, Status>;
    fn abort(task: &Self::Task);
    fn block_on(&self, future: ForeignFuture) -> Status;
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + 'static;
    fn yield_now(&self) -> impl Future<Output = ()> + Send + 'static;
    fn block_in_place(&self, call: ForeignCall<'_>) -> Status;
    fn compute(&self, job: ForeignJob, priority: u32) -> Status;
    fn join(&self, a: ForeignCall<'_>, b: ForeignCall<'_>) -> Status;
    fn start_thread(&self, kind: ThreadKind, number: usize, body: ForeignJob) -> Status;
    fn place_thread(&self);
    fn here(&self) -> Place;
    fn begin(&self, work: Work) -> Status;
    fn end(&self, work: Work, how: Status) -> Status;
    fn pressure(&self) -> Pressure;
}

/// Facts about a host, and the name that it gave the guest.
pub(crate) struct Facts<'a> {
    pub(crate) io_threads: usize,
    pub(crate) compute_threads: usize,
    pub(crate) compute_queue: usize,
    pub(crate) prefix: &'a str,
    pub(crate) name: &'a str,
}
