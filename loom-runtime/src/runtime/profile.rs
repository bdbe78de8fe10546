//! Learned costs in a file: read when a runtime starts, written when it ends.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, process};

use crate::error::{LoomError, Result};
use crate::scheduler::Profile;
use crate::sync::atomic::{AtomicBool, Ordering};

use super::builder::{LoomBuilder, in_code};
use super::core::Core;

impl LoomBuilder {
    /// Keeps what is learned of functions in a file: read when the runtime is built, and written
    /// when it ends, so that the first calls of the next program know what to expect.
    ///
    /// What is read counts as a few measurements do, and less with each that is made. The file has
    /// a line for each function, in the order of their names, with few digits, so that a change
    /// can be read; functions that were not called keep theirs. There need not be a file at first.
    /// A relative path is taken from the working directory.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("loom-profile-{}", std::process::id()));
    /// let path = path.display().to_string();
    /// let runtime = loom::LoomBuilder::new().profile(&path).build()?;
    /// for n in 0..100 {
    ///     runtime.block_on(runtime.spawn_adaptive(move || n + 1));
    /// }
    /// runtime.shutdown_background();
    /// assert!(std::fs::read_to_string(&path)?.contains("closure"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(mut self, path: impl Into<String>) -> Self {
        self.code.profile = Some(in_code(path.into()));
        self
    }
}

/// A runtime's file.
#[derive(Debug)]
pub(crate) struct ProfileFile {
    path: PathBuf,
    /// What was in it.
    pub(crate) loaded: Profile,
    is_written: AtomicBool,
}

impl ProfileFile {
    /// Reads the file; there need not be one yet, but a place for it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // Whoever reads an error may not know the working directory, which may change, too.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let problem = |problem: String| LoomError::Profile { path: path.clone(), problem };
        let loaded = match fs::read_to_string(&path) {
            Ok(text) => Profile::parse(&text).map_err(problem)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| folder.is_dir());
                if folder.is_none() {
                    return Err(problem("its folder is not there: make it".to_owned()));
                }
                Profile::default()
            }
            Err(error) => return Err(problem(error.to_string())),
        };
        Ok(Self { path, loaded, is_written: AtomicBool::new(false) })
    }

    /// Writes what is known by now, once. What was known before and not called since is kept.
    pub(crate) fn write(&self, core: &Core) {
        if self.is_written.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut profile = self.loaded.clone();
        for function in core.functions() {
            if let Some(parts) = function.record.learned() {
                let site = function.site;
                let sizes = site.sizes(function.class);
                profile.learn((site.name(), site.path()), sizes.as_ref(), &parts);
            }
        }
        if let Err(error) = self.replace(&profile.to_string()) {
            // The end is no place to fail.
            let _ = writeln!(
                io::stderr(),
                "loom: cannot write profile `{}`: {error}; what was learned is lost",
                self.path.display()
            );
        }
    }

    /// All of it or nothing: who reads it meanwhile finds the old one.
    fn replace(&self, text: &str) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}", process::id()));
        let new = PathBuf::from(name);
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}
