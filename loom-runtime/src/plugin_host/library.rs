//! Loading and unloading libraries.

use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loom_abi::{Lack, PLUGIN_SYMBOL, Report, Status};

use crate::boundary::{Library, LoadFault};
use crate::sync::thread;

use crate::runtime::LoomRuntime;

use super::handle::PluginHandle;
use super::stats::PluginStats;

/// How long a thread may take from the end of its work to its own end.
const LONGEST_RETURN: Duration = Duration::from_secs(1);

/// A library that was loaded and uses this runtime. When this is dropped the library keeps running,
/// and stays mapped until the process ends; [`unload`](Self::unload) removes it.
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
    /// The system does not load the library.
    #[error("`{path}` cannot be loaded: {source}")]
    Unloadable {
        /// The library.
        path: PathBuf,
        /// The system's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The library is no plug-in.
    #[error(
        "`{path}` has no symbol `{PLUGIN_SYMBOL}` ({source}): it is no plug-in for Loom, or lacks \
         `loom::plugin::export!`"
    )]
    NoPlugin {
        /// The library.
        path: PathBuf,
        /// The system's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The library was built against a version that does not fit. None of its functions was called.
    #[error("`{path}` cannot be used: {lack}")]
    Version {
        /// The library.
        path: PathBuf,
        /// What does not fit.
        lack: Lack,
    },
    /// The plug-in's start has failed.
    #[error("plug-in `{name}` did not start: {reason}")]
    Refused {
        /// The plug-in's name.
        name: String,
        /// The reason that the plug-in returned.
        reason: String,
    },
    /// The system refuses the thread that the plug-in starts on.
    #[error("plug-in `{name}` did not start, since the system refuses threads: {source}")]
    NoThread {
        /// The plug-in's name.
        name: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Why a plug-in was not unloaded: it stays mapped.
///
/// Where its work did not end in time, the plug-in goes on as before. Where something of it is
/// still held, its work has ended, and new work is refused. In both cases unloading can be tried
/// again.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnloadError {
    /// The plug-in, to try again or to keep.
    pub plugin: Plugin,
    /// What is still in use.
    pub reason: String,
}

impl fmt::Display for UnloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, reason) = (self.plugin.name(), &self.reason);
        write!(f, "plug-in `{name}` is in use and stays loaded: {reason}")
    }
}

impl Error for UnloadError {}

impl LoomRuntime {
    /// Loads a library and attaches it to this runtime, through what it exports with
    /// `loom::plugin::export!`. Its version is checked before any of its functions is called.
    ///
    /// The library's start runs on a thread that ends with it, and this call waits for that thread.
    /// A library that is loaded again under the same path is the same library with the same
    /// statics: it is attached once more, and unloading either ends both. A new build needs a new
    /// path.
    ///
    /// # Errors
    ///
    /// [`LoadError`] for a library that the system does not load, that is no plug-in, that was
    /// built against another version of `loom-abi`, or whose own start failed. In the last case
    /// the tasks that it has spawned here are aborted, new work is refused, and it stays mapped. Its reason is cut off
    /// after 512 bytes.
    ///
    /// # Panics
    ///
    /// On compute threads and local cores, and within async code of a current-thread runtime:
    /// these must not wait. On an I/O worker the other tasks continue on another thread.
    ///
    /// # Safety
    ///
    /// The code that the library runs when it is loaded and unloaded is sound; a library that is
    /// refused is unloaded at once. Its symbol `LOOM_PLUGIN`, if it has one, is a `Plugin` of
    /// `loom-abi`, and all that the library does with this runtime keeps to the rules of that crate.
    /// Loom can check none of this.
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn load_plugin(&self, path: impl AsRef<Path>) -> Result<Plugin, LoadError> {
        let path = path.as_ref().to_owned();
        // SAFETY: X8, by the contract of this function.
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
        // Work that the library has started is ended, since the library is not attached.
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
    /// The plug-in's name, as the library exports it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// The path that it was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plug-in's statistics on this runtime.
    #[must_use]
    pub fn stats(&self) -> PluginStats {
        self.handle.stats()
    }

    /// Counts of what the library has made and other libraries hold, for all its runtimes together.
    #[must_use]
    pub fn live(&self) -> Report {
        self.library.report()
    }

    /// A function or a static that the library exports.
    ///
    /// # Errors
    ///
    /// The system's error where there is no symbol of that name.
    ///
    /// # Safety
    ///
    /// The symbol has the type `T`, every part of which has a layout that both sides agree on
    /// (`extern "C"`, `#[repr(C)]`), and is not used after [`unload`](Self::unload).
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, Box<dyn Error + Send + Sync>> {
        // SAFETY: X8, by the contract of this function.
        unsafe { self.library.symbol(name) }.map_err(source_of)
    }

    /// Lets the plug-in finish its work, ends its threads, and unloads the library. Waits for the
    /// work at most `limit`, and then at most a second more for threads that have no work left.
    ///
    /// Running work may finish, and may start more. After that all work is refused. The plug-in's
    /// tokio runtime and compute threads end, and the host has to release the futures, wakers and
    /// closures that the plug-in made. The system unmaps the library once no thread has values of
    /// the library's thread-locals; so not before the workers that ran its tasks have ended.
    ///
    /// # Errors
    ///
    /// [`UnloadError`] where something is still in use when the time is up.
    ///
    /// # Safety
    ///
    /// Nothing of the library is used or runs from now on: no function or static that was looked
    /// up or handed out, no thread that it has started other than through this runtime or its own
    /// tokio, and no signal handler (tokio's `signal` and `process` leave some that stay).
    ///
    /// # Panics
    ///
    /// On compute threads and local cores, and within async code of a current-thread runtime:
    /// these must not wait. On an I/O worker the other tasks continue on another thread.
    #[allow(unsafe_code, reason = "the contract is the caller's")]
    pub unsafe fn unload(self, limit: Duration) -> Result<(), UnloadError> {
        let hosted = &self.handle.hosted;
        let deadline = Instant::now().checked_add(limit);
        let (detached, left) = hosted.wait("unloading", || {
            let detached = apart(|| self.library.detach(limit));
            if !matches!(detached, Ok(Ok(()))) {
                return (detached, 0);
            }
            let at_least = Instant::now() + LONGEST_RETURN;
            (detached, hosted.threads.join(deadline.map(|deadline| deadline.max(at_least))))
        });
        let detached = match detached {
            Ok(detached) => detached,
            Err(error) => {
                Err((Status::NO_THREAD, format!("the system has no thread to end it on: {error}")))
            }
        };
        if let Err((_status, reason)) = detached {
            return Err(UnloadError { plugin: self, reason });
        }
        // A library that is written by hand may count without its `detach`.
        let held = self.library.report();
        if held != Report::default() {
            let reason = format!("it has detached, and others hold {held:?}");
            return Err(UnloadError { plugin: self, reason });
        }
        if left > 0 {
            let reason = format!("it has detached, and {left} threads still run code of it");
            return Err(UnloadError { plugin: self, reason });
        }
        hosted.close();
        // SAFETY: X8, the library reports that all that it had has ended; the rest is by contract.
        match unsafe { self.library.close() } {
            // On an error it stays mapped, and has no work left.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The system's error, which is the source of the loader's.
fn source_of(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    match error.source() {
        Some(source) => source.to_string().into(),
        None => error.into(),
    }
}

/// Calls a function of a library on a new thread: what the function leaves in thread-locals ends
/// with that thread, and it inherits no thread-local from this one.
fn apart<R: Send>(f: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("loom-plugin".to_owned());
        let thread = builder.spawn_scoped(scope, f)?;
        // The library's functions catch their panics.
        Ok(thread.join().unwrap_or_else(|payload| resume_unwind(payload)))
    })
}
