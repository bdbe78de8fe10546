//! Libraries that are loaded.

use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loom_abi::{Lack, PLUGIN_SYMBOL, Report, Status};

use crate::boundary::{Library, LoadFault};
use crate::sync::thread;

use crate::runtime::LoomRuntime;

use super::handle::PluginHandle;
use super::stats::PluginStats;

/// A library that was loaded and uses this runtime. When this is dropped the library goes on, and
/// stays mapped until the process ends; [`unload`](Self::unload) takes it away.
#[derive(Debug)]
pub struct Plugin {
    path: PathBuf,
    library: Library,
    handle: PluginHandle,
}

/// Why a library was not loaded, or does not use the runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The system does not load it.
    #[error("`{path}` cannot be loaded: {source}")]
    Unloadable {
        /// The library.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is no plug-in.
    #[error(
        "`{path}` has no symbol `{PLUGIN_SYMBOL}` ({source}): it is no plug-in for Loom, or lacks \
         `loom::plugin::export!`"
    )]
    NoPlugin {
        /// The library.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It was built against a version that does not fit. Nothing of it was called.
    #[error("`{path}` cannot be used: {lack}")]
    Version {
        /// The library.
        path: PathBuf,
        /// What does not fit.
        lack: Lack,
    },
    /// The plug-in has refused.
    #[error("plug-in `{name}` did not start: {reason}")]
    Refused {
        /// What it calls itself.
        name: String,
        /// Its words.
        reason: String,
    },
    /// The system has no thread to start it on.
    #[error("plug-in `{name}` did not start, since the system refuses threads: {source}")]
    NoThread {
        /// What it calls itself.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Why a plug-in is still there: it stays mapped.
///
/// Where its work did not end in time it goes on as before; where something of it was kept, its
/// work has ended, and more is refused. Either way it can be tried again.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnloadError {
    /// The plug-in, to try again, or to let it stay.
    pub plugin: Plugin,
    /// What is in use.
    pub reason: String,
}

impl fmt::Display for UnloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, reason) = (self.plugin.name(), &self.reason);
        write!(f, "plug-in `{name}` is in use and stays where it is: {reason}")
    }
}

impl Error for UnloadError {}

impl LoomRuntime {
    /// Loads a library and attaches it to this runtime, through what it exports with
    /// `loom::plugin::export!`. Its version is checked before any function of it is called.
    ///
    /// Its start runs on a thread of its own, and this call waits for it. A library that is loaded
    /// again under the same path is the same library with the same statics: it is attached once more,
    /// and unloading either ends both. A new build needs a new path.
    ///
    /// # Errors
    ///
    /// [`LoadError`] for a library that the system does not load, that is no plug-in, that was
    /// built against another version of `loom-abi`, and whose own start failed: then what it has
    /// begun here is ended, and it stays mapped. Its reason is cut off after 512 bytes.
    ///
    /// # Panics
    ///
    /// On compute threads and local cores, and within async code of a current-thread runtime: these
    /// must not wait. On an I/O worker other tasks go on meanwhile, on another thread.
    ///
    /// # Safety
    ///
    /// The library's initialisers run, and its symbol `LOOM_PLUGIN`, if it has one, is what
    /// `loom-abi` says it is: both are out of this program's sight.
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn load_plugin(&self, path: impl AsRef<Path>) -> Result<Plugin, LoadError> {
        let path = path.as_ref().to_owned();
        // SAFETY: X8, as by contract.
        let opened = unsafe { Library::open(&path) };
        let library = match opened {
            Ok(library) => library,
            Err(LoadFault::Unloadable(source)) => {
                return Err(LoadError::Unloadable { path, source: source_of(source) });
            }
            Err(LoadFault::NoPlugin(source)) => {
                return Err(LoadError::NoPlugin { path, source: source_of(source) });
            }
            Err(LoadFault::Version(lack)) => return Err(LoadError::Version { path, lack }),
        };
        let name = library.name();
        let handle = self.plugin_handle(&name);
        let hosted = &handle.hosted;
        hosted.starting.begin();
        let attached = hosted.wait("loading", || apart(|| library.attach(handle.as_raw())));
        if let Ok(Ok(())) = attached {
            hosted.starting.succeed();
            return Ok(Plugin { path, library, handle });
        }
        // What it has begun has no owner.
        hosted.close();
        hosted.starting.fail();
        Err(match attached {
            Ok(attached) => {
                let reason = attached.err().map(|(_status, reason)| reason);
                LoadError::Refused { name, reason: reason.unwrap_or_default() }
            }
            Err(source) => LoadError::NoThread { name, source },
        })
    }
}

impl Plugin {
    /// What it calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// Where it was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it has and did on this runtime.
    #[must_use]
    pub fn stats(&self) -> PluginStats {
        self.handle.stats()
    }

    /// What it has made and others hold, all its runtimes together.
    #[must_use]
    pub fn live(&self) -> Report {
        self.library.report()
    }

    /// A function or a static of its own.
    ///
    /// # Errors
    ///
    /// What the system says where there is none of that name.
    ///
    /// # Safety
    ///
    /// It has this type, of which everything has a layout that both sides agree on
    /// (`extern "C"`, `#[repr(C)]`), and is not used after [`unload`](Self::unload).
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, Box<dyn Error + Send + Sync>> {
        // SAFETY: X8, as by contract.
        unsafe { self.library.symbol(name) }.map_err(source_of)
    }

    /// Has it finish its work, end its threads, and go. Waits for that no longer than `limit`.
    ///
    /// The work that it has is let finish, and may start more. Then it is refused; its tokio
    /// runtime and its compute threads end, and what it made has to have come back: futures,
    /// wakers and closures that are held here. The system unmaps it once no thread is left that
    /// has values of its thread-locals, so not before the workers that ran its tasks have ended.
    ///
    /// # Errors
    ///
    /// [`UnloadError`] where something is in use when the time is up.
    ///
    /// # Safety
    ///
    /// Nothing of it is used from now on, or runs: no function or static of its own that was
    /// looked up or handed out, no thread that it has started other than by this runtime or its
    /// tokio's, no handler of signals (tokio's `signal` and `process` leave some that stay).
    ///
    /// # Panics
    ///
    /// On compute threads and local cores, and within async code of a current-thread runtime: these
    /// must not wait. On an I/O worker other tasks go on meanwhile, on another thread.
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn unload(self, limit: Duration) -> Result<(), UnloadError> {
        let hosted = &self.handle.hosted;
        let detached = match hosted.wait("unloading", || apart(|| self.library.detach(limit))) {
            Ok(detached) => detached,
            Err(error) => {
                Err((Status::NO_THREAD, format!("the system has no thread to end it on: {error}")))
            }
        };
        if let Err((_status, reason)) = detached {
            return Err(UnloadError { plugin: self, reason });
        }
        hosted.threads.join();
        hosted.close();
        // SAFETY: X8, it has ended all that it had, as it says, and the rest is by contract.
        match unsafe { self.library.close() } {
            // It stays mapped, and has nothing left to do.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// What the system says, which is behind what the loader says.
fn source_of(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    match error.source() {
        Some(told) => told.to_string().into(),
        None => error.into(),
    }
}

/// Calls a function of a library on a thread of its own: what that leaves in thread-locals goes
/// with it, and it inherits nothing from this one.
fn apart<R: Send>(f: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("loom-plugin".to_owned());
        let thread = builder.spawn_scoped(scope, f)?;
        // What panics over there does not get here.
        Ok(thread.join().unwrap_or_else(|payload| resume_unwind(payload)))
    })
}
