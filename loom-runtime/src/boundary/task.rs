//! Tasks of the host's, as a guest holds them.

#[cfg(feature = "plugin")]
use loom_abi::Task;

#[cfg(feature = "plugin-host")]
pub(super) use lowered::lower;

#[cfg(feature = "plugin-host")]
mod lowered {
    use loom_abi::Task;

    use crate::boundary::host::Host;
    use crate::boundary::ledger::{self, Entry};
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
        // SAFETY: X2, it has not been given back.
        let lowered = unsafe { &*data.cast::<Lowered<H>>() };
        // Who is aborted may be dropped here, destructors and all (X5).
        ignore_panic(|| H::abort(&lowered.task));
    }

    unsafe extern "C" fn release<H: Host>(data: *const ()) {
        // SAFETY: X2 and X9, this is its end.
        let lowered = unsafe { Arc::from_raw(data.cast::<Lowered<H>>()) };
        ignore_panic(|| drop(lowered));
    }
}

/// A task of the host's. Dropping this lets it go on.
#[cfg(feature = "plugin")]
#[derive(Debug)]
pub(crate) struct ForeignTask(Task);

#[cfg(feature = "plugin")]
// SAFETY: X2, its functions may be called on any thread.
unsafe impl Send for ForeignTask {}
#[cfg(feature = "plugin")]
// SAFETY: X2, and by several at once.
unsafe impl Sync for ForeignTask {}

#[cfg(feature = "plugin")]
impl ForeignTask {
    /// # Safety
    ///
    /// X2: it was given by value, and to nobody else.
    pub(super) unsafe fn raise(raw: Task) -> Self {
        Self(raw)
    }

    pub(crate) fn abort(&self) {
        // SAFETY: X2, it has not been given back.
        unsafe { (self.0.abort)(self.0.data) };
    }
}

#[cfg(feature = "plugin")]
impl Drop for ForeignTask {
    fn drop(&mut self) {
        // SAFETY: X2, this is its end.
        unsafe { (self.0.release)(self.0.data) };
    }
}
