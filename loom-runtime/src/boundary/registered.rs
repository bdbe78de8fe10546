//! Guests, as their host knows them.

#[cfg(feature = "plugin")]
pub(super) use lowered::{lower, take_back};
#[cfg(feature = "plugin-host")]
pub(crate) use raised::ForeignGuest;

/// The guest's side.
#[cfg(feature = "plugin")]
mod lowered {
    use loom_abi::{Guest, Header};

    use crate::panics::ignore_panic;

    /// A guest of this side, to be told of its host's end.
    pub(in crate::boundary) fn lower<F: Fn() + Send + Sync + 'static>(leave: F) -> Guest {
        Guest {
            header: Header::of::<Guest>(),
            data: Box::into_raw(Box::new(leave)).cast(),
            leave: leave_box::<F>,
            drop: drop_box::<F>,
        }
    }

    unsafe extern "C" fn leave_box<F: Fn()>(data: *mut ()) {
        // SAFETY: X2, it is such a box, and not yet dropped.
        let leave = unsafe { &*data.cast::<F>() };
        ignore_panic(leave);
    }

    unsafe extern "C" fn drop_box<F>(data: *mut ()) {
        // SAFETY: X2 and X9, this is its end.
        let leave = unsafe { Box::from_raw(data.cast::<F>()) };
        ignore_panic(|| drop(leave));
    }

    /// Takes back what was not registered.
    ///
    /// # Safety
    ///
    /// X2: nobody else has it.
    pub(in crate::boundary) unsafe fn take_back(guest: Guest) {
        // SAFETY: X2, as by contract.
        unsafe { (guest.drop)(guest.data) };
    }
}

/// The host's side.
#[cfg(feature = "plugin-host")]
mod raised {
    use loom_abi::{Guest, Header, Lack};

    /// A guest of the other side's.
    #[derive(Debug)]
    pub(crate) struct ForeignGuest(Guest);

    // SAFETY: X2, its functions may be called on any thread.
    unsafe impl Send for ForeignGuest {}
    // SAFETY: X2, as above; a shared reference can do nothing.
    unsafe impl Sync for ForeignGuest {}

    impl ForeignGuest {
        /// # Safety
        ///
        /// X7: it points to a header, and, where that fits, to a guest, whose functions are this
        /// side's from then on.
        pub(in crate::boundary) unsafe fn raise(raw: *const Guest) -> Result<Self, Lack> {
            // SAFETY: X7, the header is there.
            let header = unsafe { *raw.cast::<Header>() };
            header.check::<Guest>()?;
            // SAFETY: X7, and so is the rest.
            Ok(Self(unsafe { *raw }))
        }

        /// Tells it that its host has ended.
        pub(crate) fn leave(self) {
            // SAFETY: X2, it is called once, before the end.
            unsafe { (self.0.leave)(self.0.data) };
        }
    }

    impl Drop for ForeignGuest {
        fn drop(&mut self) {
            // SAFETY: X2, this is its end.
            unsafe { (self.0.drop)(self.0.data) };
        }
    }
}
