//! Closures that cross the boundary: jobs, which are given away, and calls, which are lent.

#[cfg(feature = "plugin")]
pub(super) use lowered::{lend, lend_here, lower, lower_body};
#[cfg(feature = "plugin-host")]
pub(crate) use raised::{ForeignCall, ForeignJob};

/// The guest's side.
#[cfg(feature = "plugin")]
mod lowered {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use loom_abi::{Call, Job, Status};

    use crate::boundary::ledger::{self, Entry};
    use crate::boundary::pin;
    use crate::panics::{drop_ignoring_panic, ignore_panic};
    use crate::sync::modelled::{ThreadNumber, thread_number};
    use crate::sync::thread;

    struct Lowered<F> {
        f: F,
        _entry: Entry,
    }

    /// Lowers a closure of this side, for the other side to run at any later time. The payload of
    /// a panic in it is dropped.
    pub(in crate::boundary) fn lower<F: FnOnce() + Send + 'static>(f: F) -> Job {
        lower_as(f, ledger::JOBS.enter())
    }

    /// Lowers the body of a thread, which runs for long and is counted apart.
    pub(in crate::boundary) fn lower_body<F: FnOnce() + Send + 'static>(f: F) -> Job {
        lower_as(f, ledger::BODIES.enter())
    }

    fn lower_as<F: FnOnce() + Send + 'static>(f: F, entry: Entry) -> Job {
        let lowered = Box::new(Lowered { f, _entry: entry });
        Job { data: Box::into_raw(lowered).cast(), run: run_box::<F>, drop: drop_box::<F> }
    }

    unsafe extern "C" fn run_box<F: FnOnce()>(data: *mut ()) -> Status {
        pin::stay();
        // SAFETY: X2 and X9, `data` is such a box, and this is its one run.
        let Lowered { f, _entry } = *unsafe { Box::from_raw(data.cast::<Lowered<F>>()) };
        status(catch_unwind(AssertUnwindSafe(f)))
    }

    unsafe extern "C" fn drop_box<F>(data: *mut ()) {
        pin::stay();
        // SAFETY: X2 and X9, `data` is such a box, and this is its one drop.
        let lowered = unsafe { Box::from_raw(data.cast::<Lowered<F>>()) };
        ignore_panic(|| drop(lowered));
    }

    fn status(result: thread::Result<()>) -> Status {
        match result {
            Ok(()) => Status::DONE,
            Err(payload) => {
                drop_ignoring_panic(payload);
                Status::PANICKED
            }
        }
    }

    /// Lends a closure to `give`, which calls a function of the other side. Returns the status of
    /// that call, and the result of the closure: `None` where the closure was not called.
    pub(in crate::boundary) fn lend<F, R>(
        f: F,
        give: impl FnOnce(Call) -> Status,
    ) -> (Status, Option<thread::Result<R>>)
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        lend_to(None, f, give)
    }

    /// [`lend`] for a closure that runs on this thread alone: on another one it is refused.
    pub(in crate::boundary) fn lend_here<F, R>(
        f: F,
        give: impl FnOnce(Call) -> Status,
    ) -> (Status, Option<thread::Result<R>>)
    where
        F: FnOnce() -> R,
    {
        lend_to(Some(thread_number()), f, give)
    }

    fn lend_to<F, R>(
        home: Option<ThreadNumber>,
        f: F,
        give: impl FnOnce(Call) -> Status,
    ) -> (Status, Option<thread::Result<R>>)
    where
        F: FnOnce() -> R,
    {
        struct Frame<F, R> {
            home: Option<ThreadNumber>,
            f: Option<F>,
            result: Option<thread::Result<R>>,
        }
        unsafe extern "C" fn run<F: FnOnce() -> R, R>(data: *mut ()) -> Status {
            let frame = data.cast::<Frame<F, R>>();
            // SAFETY: X6, the frame is valid until `give` returns; nobody writes this part of it.
            let home = unsafe { (*frame).home };
            if home.is_some_and(|home| home != thread_number()) {
                return Status::REFUSED;
            }
            // SAFETY: X6, the frame has no other user meanwhile.
            let frame = unsafe { &mut *frame };
            let Some(f) = frame.f.take() else { return Status::REFUSED };
            let result = catch_unwind(AssertUnwindSafe(f));
            let status = if result.is_ok() { Status::DONE } else { Status::PANICKED };
            frame.result = Some(result);
            status
        }
        let mut frame = Frame { home, f: Some(f), result: None };
        let call = Call { data: (&raw mut frame).cast(), run: run::<F, R> };
        let status = give(call);
        (status, frame.result)
    }
}

/// The host's side.
#[cfg(feature = "plugin-host")]
mod raised {
    use std::marker::PhantomData;
    use std::mem::ManuallyDrop;

    use loom_abi::{Call, Job, Status};

    /// A closure of the other side.
    pub(crate) struct ForeignJob(Job);

    // SAFETY: X2, it may run on any thread of its owner's choice.
    unsafe impl Send for ForeignJob {}

    impl ForeignJob {
        /// # Safety
        ///
        /// X2: `raw` was passed by value, and has no other holder.
        pub(in crate::boundary) unsafe fn raise(raw: Job) -> Self {
            Self(raw)
        }

        pub(crate) fn run(self) -> Status {
            let Self(job) = *ManuallyDrop::new(self);
            // SAFETY: X2, this is its one run, and `ManuallyDrop` prevents the drop.
            unsafe { (job.run)(job.data) }
        }
    }

    impl Drop for ForeignJob {
        fn drop(&mut self) {
            // SAFETY: X2, this is its one drop.
            unsafe { (self.0.drop)(self.0.data) };
        }
    }

    /// A closure that the other side lends.
    pub(crate) struct ForeignCall<'a> {
        raw: Call,
        lent: PhantomData<&'a mut ()>,
    }

    // SAFETY: X6, it may run on any thread until the function that received it returns.
    unsafe impl Send for ForeignCall<'_> {}

    impl ForeignCall<'_> {
        /// # Safety
        ///
        /// X6: the call is not used after the function that received it has returned.
        pub(in crate::boundary) unsafe fn raise(raw: Call) -> Self {
            Self { raw, lent: PhantomData }
        }

        pub(crate) fn run(self) -> Status {
            // SAFETY: X6, `self` is used up, so it runs at most once.
            unsafe { (self.raw.run)(self.raw.data) }
        }
    }
}
