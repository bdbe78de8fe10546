//! The host's tasks, as a guest holds them.

#[cfg(feature = "plugin")]
use loom_abi::Task;

#[cfg(feature = "plugin-host")]
pub(super) use lowered::lower;

#[cfg(feature = "plugin-host")]
mod lowered {
    use loom_abi::Task;

    use crate::boundary::host::Host;
    use crate::boundary::ledger::{self, Entry};
    use crate::boundary::pin;
    use crate::panics::ignore_panic;
    use crate::sync::Arc;

    struct Lowered<H: Host> {
        task: H::Task,
        _entry: Entry,
    }

    pub(in crate::boundary) fn lower<H: Host>(task: H::Task) -> Task {
        let lowered = Arc::new(Lowered::<H> { task, _entry: ledger::TASKS.enter() });
        Task { data: Arc::into_raw(lowered).cast(), abort: abort::<H>, release: release::<H> }
    }

    unsafe extern "C" fn abort<H: Host>(data: *const ()) {
        // SAFETY: X2, the caller has not released it yet.
        let lowered = unsafe { &*data.cast::<Lowered<H>>() };
        // The abort may drop the task's future here, and its destructors may panic (X5).
        ignore_panic(|| H::abort(&lowered.task));
    }

    unsafe extern "C" fn release<H: Host>(data: *const ()) {
        pin::stay();
        // SAFETY: X2 and X9, this is its one release.
        let lowered = unsafe { Arc::from_raw(data.cast::<Lowered<H>>()) };
        ignore_panic(|| drop(lowered));
    }
}

/// A task of the host. Dropping this lets the task go on.
#[cfg(feature = "plugin")]
#[derive(Debug)]
pub(crate) struct ForeignTask(Task);

#[cfg(feature = "plugin")]
// SAFETY: X2, its functions may be called on any thread.
unsafe impl Send for ForeignTask {}
#[cfg(feature = "plugin")]
// SAFETY: X2, and by several threads at once.
unsafe impl Sync for ForeignTask {}

#[cfg(feature = "plugin")]
impl ForeignTask {
    /// # Safety
    ///
    /// X2: `raw` was passed by value, and has no other holder.
    pub(super) unsafe fn raise(raw: Task) -> Self {
        Self(raw)
    }

    pub(crate) fn abort(&self) {
        // SAFETY: X2, it has not been released yet.
        unsafe { (self.0.abort)(self.0.data) };
    }
}

#[cfg(feature = "plugin")]
impl Drop for ForeignTask {
    fn drop(&mut self) {
        // SAFETY: X2, this is its one release.
        unsafe { (self.0.release)(self.0.data) };
    }
}
