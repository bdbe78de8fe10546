//! Guests, as they register with their host.

#[cfg(feature = "plugin")]
pub(super) use lowered::{lower, take_back};
#[cfg(feature = "plugin-host")]
pub(crate) use raised::ForeignGuest;

/// The guest's side.
#[cfg(feature = "plugin")]
mod lowered {
    use loom_abi::{Guest, Header};

    use crate::boundary::ledger::{self, Entry};
    use crate::boundary::pin;
    use crate::panics::ignore_panic;

    struct Lowered<F> {
        leave: F,
        _entry: Entry,
    }

    /// A guest of this side, whose `leave` its host calls when the host ends.
    pub(in crate::boundary) fn lower<F: Fn() + Send + Sync + 'static>(leave: F) -> Guest {
        let lowered = Lowered { leave, _entry: ledger::GUESTS.enter() };
        Guest {
            header: Header::of::<Guest>(),
            data: Box::into_raw(Box::new(lowered)).cast(),
            leave: leave_box::<F>,
            drop: drop_box::<F>,
        }
    }

    unsafe extern "C" fn leave_box<F: Fn()>(data: *mut ()) {
        // SAFETY: X2, `data` is a box of `lower`, and not yet dropped.
        let lowered = unsafe { &*data.cast::<Lowered<F>>() };
        ignore_panic(&lowered.leave);
    }

    unsafe extern "C" fn drop_box<F>(data: *mut ()) {
        pin::stay();
        // SAFETY: X2 and X9, this is its one drop.
        let lowered = unsafe { Box::from_raw(data.cast::<Lowered<F>>()) };
        ignore_panic(|| drop(lowered));
    }

    /// Drops a guest that was not registered.
    ///
    /// # Safety
    ///
    /// X2: the guest has no other holder.
    pub(in crate::boundary) unsafe fn take_back(guest: Guest) {
        // SAFETY: X2, by this function's contract.
        unsafe { (guest.drop)(guest.data) };
    }
}

/// The host's side.
#[cfg(feature = "plugin-host")]
mod raised {
    use loom_abi::{Guest, Header, Lack};

    /// A guest of the other side.
    #[derive(Debug)]
    pub(crate) struct ForeignGuest(Guest);

    // SAFETY: X2, its functions may be called on any thread.
    unsafe impl Send for ForeignGuest {}
    // SAFETY: X2, as above; a shared reference has no functions.
    unsafe impl Sync for ForeignGuest {}

    impl ForeignGuest {
        /// # Safety
        ///
        /// X7: `raw` points to a header and, where that fits, to a guest. Only this side calls the
        /// guest's functions from then on.
        pub(in crate::boundary) unsafe fn raise(raw: *const Guest) -> Result<Self, Lack> {
            // SAFETY: X7, there is a header.
            let header = unsafe { *raw.cast::<Header>() };
            header.check::<Guest>()?;
            // SAFETY: X7, the header fits, so the rest is a guest.
            Ok(Self(unsafe { *raw }))
        }

        /// Tells the guest that its host has ended.
        pub(crate) fn leave(self) {
            // SAFETY: X2, it is called once, before the drop.
            unsafe { (self.0.leave)(self.0.data) };
        }
    }

    impl Drop for ForeignGuest {
        fn drop(&mut self) {
            // SAFETY: X2, this is its one drop.
            unsafe { (self.0.drop)(self.0.data) };
        }
    }
}
