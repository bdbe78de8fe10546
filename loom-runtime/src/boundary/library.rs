//! Libraries that are loaded while the program runs.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::time::Duration;

use libloading::{Library as Mapped, Symbol};
use loom_abi::{Header, Lack, PLUGIN_SYMBOL, Plugin, Report, RuntimeHandle, Status};

use super::text::{self, Room};

/// A library with a [`Plugin`] of a version that is understood. It stays mapped unless
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

/// Why a library is not used.
#[derive(Debug)]
pub(crate) enum LoadFault {
    /// The system does not load it.
    Unloadable(libloading::Error),
    /// It has no such symbol.
    NoPlugin(libloading::Error),
    /// It has one of another version.
    Version(Lack),
}

impl Library {
    /// # Safety
    ///
    /// X8: what the library does when it is loaded and unloaded is sound, and its symbol, if it
    /// has one of that name, is what `loom-abi` says.
    pub(crate) unsafe fn open(path: &Path) -> Result<Self, LoadFault> {
        // SAFETY: X8, as by contract.
        let mapped = unsafe { Mapped::new(path) }.map_err(LoadFault::Unloadable)?;
        let found = {
            // SAFETY: X8, it is a static of that type, if its header fits.
            let symbol: Result<Symbol<'_, *const Header>, _> = unsafe { mapped.get(PLUGIN_SYMBOL) };
            symbol.map(|symbol| *symbol).map_err(LoadFault::NoPlugin)
        };
        let header = match found {
            Ok(header) => header,
            Err(fault) => {
                // Nothing of it was called.
                drop(mapped);
                return Err(fault);
            }
        };
        // SAFETY: X7, there is a header.
        unsafe { *header }.check::<Plugin>().map_err(LoadFault::Version)?;
        // SAFETY: X7, it fits, so this is a plug-in's.
        let plugin = Box::new(unsafe { *header.cast::<Plugin>() });
        Ok(Self { mapped: ManuallyDrop::new(mapped), plugin })
    }

    pub(crate) fn name(&self) -> String {
        // SAFETY: X4, it is a constant of the library.
        unsafe { text::raise(&self.plugin.name) }
    }

    /// Has it use this runtime.
    pub(crate) fn attach(&self, handle: RuntimeHandle<'_>) -> Result<(), (Status, String)> {
        // SAFETY: X8, it is mapped; X4, there is room.
        said(|room| unsafe { (self.plugin.attach)(handle, room) })
    }

    /// Has it stop.
    pub(crate) fn detach(&self, limit: Duration) -> Result<(), (Status, String)> {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: X8, it is mapped; X4, there is room.
        said(|room| unsafe { (self.plugin.detach)(nanos, room) })
    }

    /// What it has in the hands of others.
    pub(crate) fn report(&self) -> Report {
        let mut report = Report::default();
        // SAFETY: X8, it is mapped; X4, it is a place for this.
        unsafe { (self.plugin.report)(&raw mut report, size_of::<Report>()) };
        report
    }

    /// A symbol of it.
    ///
    /// # Safety
    ///
    /// X8: it has that type, and is not used once the library is unmapped.
    pub(crate) unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, libloading::Error> {
        // SAFETY: X8, as by contract.
        let symbol: Symbol<'_, T> = unsafe { self.mapped.get(name) }?;
        Ok(*symbol)
    }

    /// Unmaps it, as soon as the system thinks fit.
    ///
    /// # Safety
    ///
    /// X8: nothing of it is called from now on.
    pub(crate) unsafe fn close(self) -> Result<(), libloading::Error> {
        ManuallyDrop::into_inner(self.mapped).close()
    }
}

fn said(f: impl FnOnce(*mut loom_abi::Text) -> Status) -> Result<(), (Status, String)> {
    let (status, room) = Room::give(f);
    if status == Status::DONE { Ok(()) } else { Err((status, room.text())) }
}
