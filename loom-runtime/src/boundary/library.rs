//! Libraries that a host loads while the program runs.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::time::Duration;

use libloading::{Library as Mapped, Symbol};
use loom_abi::{Header, Lack, PLUGIN_SYMBOL, Plugin, Report, RuntimeHandle, Status};

use super::text::{self, Room};

/// A library with a [`Plugin`] of a version that this side understands. It stays mapped unless
/// [`close`](Self::close) is called (X8).
#[derive(Debug)]
pub(crate) struct Library {
    mapped: ManuallyDrop<Mapped>,
    plugin: Box<Plugin>,
}

// SAFETY: X8, its functions may be called on any thread.
unsafe impl Send for Library {}
// SAFETY: X8, as above.
unsafe impl Sync for Library {}

/// Why a library cannot be used.
#[derive(Debug)]
pub(crate) enum LoadFault {
    /// The system cannot load it.
    Unloadable(libloading::Error),
    /// It does not have the symbol [`PLUGIN_SYMBOL`].
    NoPlugin(libloading::Error),
    /// Its [`Plugin`] has a version that does not fit.
    Version(Lack),
}

impl Library {
    /// # Safety
    ///
    /// X8: the code that the library runs when it is loaded and unloaded is sound, and its symbol
    /// [`PLUGIN_SYMBOL`], if it has one, is what `loom-abi` describes.
    pub(crate) unsafe fn open(path: &Path) -> Result<Self, LoadFault> {
        // SAFETY: X8, by this function's contract.
        let mapped = unsafe { Mapped::new(path) }.map_err(LoadFault::Unloadable)?;
        let found = {
            // SAFETY: X8, it is a static that begins with a header.
            let symbol: Result<Symbol<'_, *const Header>, _> = unsafe { mapped.get(PLUGIN_SYMBOL) };
            symbol.map(|symbol| *symbol).map_err(LoadFault::NoPlugin)
        };
        let header = match found {
            Ok(header) => header,
            Err(fault) => {
                // None of its functions was called, so it may be unmapped.
                drop(mapped);
                return Err(fault);
            }
        };
        // SAFETY: X7, by the contract of this function.
        let plugin = unsafe { raise(header) }.map_err(LoadFault::Version)?;
        Ok(Self { mapped: ManuallyDrop::new(mapped), plugin: Box::new(plugin) })
    }

    pub(crate) fn name(&self) -> String {
        // SAFETY: X4, the name is a constant of the library.
        unsafe { text::raise(&self.plugin.name) }
    }

    /// Makes the library use this runtime.
    pub(crate) fn attach(&self, handle: RuntimeHandle<'_>) -> Result<(), (Status, String)> {
        // SAFETY: X8, it is mapped; X4, there is room for a reason.
        with_reason(|room| unsafe { (self.plugin.attach)(handle, room) })
    }

    /// Makes the library stop using its runtimes, within `limit`.
    pub(crate) fn detach(&self, limit: Duration) -> Result<(), (Status, String)> {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: X8, it is mapped; X4, there is room for a reason.
        with_reason(|room| unsafe { (self.plugin.detach)(nanos, room) })
    }

    /// What the library has made and others hold.
    pub(crate) fn report(&self) -> Report {
        let mut report = Report::default();
        // SAFETY: X8, it is mapped; X4, `report` is a place of that size.
        unsafe { (self.plugin.report)(&raw mut report, size_of::<Report>()) };
        report
    }

    /// A symbol of the library.
    ///
    /// # Safety
    ///
    /// X8: the symbol has type `T`, and is not used once the library is unmapped.
    pub(crate) unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, libloading::Error> {
        // SAFETY: X8, by this function's contract.
        let symbol: Symbol<'_, T> = unsafe { self.mapped.get(name) }?;
        Ok(*symbol)
    }

    /// Asks the system to unmap the library; the system chooses when it does.
    ///
    /// # Safety
    ///
    /// X8: none of the library's functions is called from now on.
    pub(crate) unsafe fn close(self) -> Result<(), libloading::Error> {
        ManuallyDrop::into_inner(self.mapped).close()
    }
}

/// # Safety
///
/// X7: `raw` points to a header and, where that fits, to a `Plugin`.
pub(super) unsafe fn raise(raw: *const Header) -> Result<Plugin, Lack> {
    // SAFETY: X7, there is a header.
    unsafe { *raw }.check::<Plugin>()?;
    // SAFETY: X7, the header fits, so this is a `Plugin`.
    Ok(unsafe { *raw.cast::<Plugin>() })
}

/// Calls `f` with room for a reason, and returns the status and the reason of a failure.
pub(super) fn with_reason(
    f: impl FnOnce(*mut loom_abi::Text) -> Status,
) -> Result<(), (Status, String)> {
    let (status, room) = Room::give(f);
    if status == Status::DONE { Ok(()) } else { Err((status, room.text())) }
}
