//! The file of learned costs: read when a runtime starts, written when it ends.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use crate::core::{Core, Function};
use crate::error::{LoomError, Result};
use crate::scheduler::Profile;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::sync::{Mutex, PoisonError};
use crate::topology::os;

/// A runtime holds this while it writes, since several runtimes may end at the same time.
static WRITE_LOCK: Mutex<()> = Mutex::new(());

/// The profile file of one runtime.
#[derive(Debug)]
pub(crate) struct ProfileFile {
    path: PathBuf,
    is_written: AtomicBool,
}

impl ProfileFile {
    /// Reads the file, and returns it with its content. The file may be missing, but its directory
    /// has to exist.
    pub(crate) fn open(path: &Path) -> Result<(Self, Profile)> {
        // An absolute path: the working directory may change, and the reader of an error may not
        // know it.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let problem =
            |problem: &str| LoomError::Profile { path: path.clone(), problem: problem.to_owned() };
        let loaded = match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => return Err(problem("expected a regular file")),
            Ok(_) => {
                let text =
                    fs::read_to_string(&path).map_err(|error| problem(&error.to_string()))?;
                Profile::parse(&text).map_err(|error| problem(&error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if path.to_string_lossy().ends_with(std::path::is_separator) {
                    return Err(problem("expected the name of a file"));
                }
                if !path.parent().is_some_and(Path::is_dir) {
                    return Err(problem("its directory does not exist: create it"));
                }
                Profile::default()
            }
            Err(error) => return Err(problem(&error.to_string())),
        };
        Ok((Self { path, is_written: AtomicBool::new(false) }, loaded))
    }

    /// Writes what has been learned; only the first call has an effect. Functions that were not
    /// called keep their lines.
    pub(crate) fn write(&self, core: &Core) {
        // A forked child has learned nothing new: its parent writes the profile.
        if os::is_forked() || self.is_written.swap(true, Ordering::Relaxed) {
            return;
        }
        // Another runtime may have written since the start, so the file is read again; the lock
        // prevents a write between the read and the replacement.
        let _lock = WRITE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let present = fs::read_to_string(&self.path).ok();
        let present = present.and_then(|text| Profile::parse(&text).ok());
        let mut profile = present.or_else(|| core.profile.get().cloned()).unwrap_or_default();
        let mut names = HashMap::new();
        for function in core.functions() {
            *names.entry(line_of(function)).or_insert(0) += 1;
        }
        for function in core.functions() {
            let site = function.site;
            // A line that several functions share, or several hints of one, belongs to none of them.
            let is_unique = names.get(&line_of(function)) == Some(&1);
            if let Some(parts) = function.record.learned().filter(|_| is_unique) {
                let sizes = site.sizes(function.class);
                let names = (site.name(), site.path_in_profile());
                profile.learn(names, sizes.as_ref(), &parts, function.calls());
            }
        }
        if let Err(error) = self.replace(&profile.to_string()) {
            // The end of a runtime must not fail.
            let _ = writeln!(
                io::stderr(),
                "loom: cannot write profile `{}`: {error}; what was learned is lost",
                self.path.display()
            );
        }
    }

    /// Replaces the file in one step: a reader finds either the old text or the new text.
    fn replace(&self, text: &str) -> io::Result<()> {
        /// Distinguishes files that are written at the same moment.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // If the path is a link, its target is replaced, not the link.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut name = path.clone().into_os_string();
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.subsec_nanos());
        name.push(format!(".{}-{unique}-{now}", process::id()));
        let new = PathBuf::from(name);
        let written =
            write_new(&new, text, fs::metadata(&path).ok()).and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

/// Writes a new file, with the permissions of the file that it will replace.
fn write_new(path: &Path, text: &str, old: Option<Metadata>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    if let Some(old) = old {
        // If the system refuses, the new file keeps its default permissions.
        let _ = file.set_permissions(old.permissions());
    }
    file.write_all(text.as_bytes())
}

/// What a line of a profile is found by: the name, and the first and last size.
fn line_of(function: &Function) -> (&'static str, Option<RangeInclusive<u64>>) {
    (function.site.name(), function.site.sizes(function.class))
}
