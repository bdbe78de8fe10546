//! What is known of a tokio runtime whose tasks make compute calls: its workers, how busy they are, and
//! what the way to the compute pool costs from there.
//!
//! A runtime of Loom's has one. The process-wide pool serves every tokio runtime of the program and
//! knows them apart: a thread finds the one it belongs to by its tokio handle, and keeps what it found.
//! What is known ends with the threads that keep it, so runtimes that have ended leave nothing behind.

use std::cell::RefCell;

use tokio::runtime::{Handle, Id};

use crate::scheduler::Overhead;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

use super::pressure::Pressure;

/// One tokio runtime, as its calls see it.
#[derive(Debug, Default)]
pub(crate) struct IoSide {
    /// Its workers; `None` where calls are made outside of any tokio runtime.
    pub(crate) workers: Option<usize>,
    pub(crate) pressure: Pressure,
    /// Nanoseconds that inline calls took on its workers.
    pub(crate) inline_nanos: AtomicU64,
    /// The bridge's overhead: round trip minus run time.
    pub(crate) overhead: Arc<Overhead>,
    /// Its own range of levels, so that a thread draws its verdicts anew where it comes to another one.
    first_level: u32,
}

/// More than there are levels of pressure.
const LEVELS: u32 = 128;

static SIDES: Mutex<Vec<(Id, Weak<IoSide>)>> = Mutex::new(Vec::new());

thread_local! {
    /// What the thread found last.
    static FOUND: RefCell<Option<(Id, Arc<IoSide>)>> = const { RefCell::new(None) };
}

impl IoSide {
    pub(crate) fn new(workers: Option<usize>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let first_level = NEXT.fetch_add(LEVELS, Ordering::Relaxed);
        Self { workers, first_level, ..Self::default() }
    }

    /// Changes when verdicts have to be drawn anew.
    #[inline]
    pub(crate) fn level(&self) -> u32 {
        self.first_level.wrapping_add(self.pressure.pressure_level())
    }
}

/// Calls `f` with the calling thread's tokio runtime. Returns `None` where it belongs to none.
pub(super) fn with_current<R>(f: impl FnOnce(&IoSide, &Handle) -> R) -> Option<R> {
    let handle = Handle::try_current().ok()?;
    let id = handle.id();
    let kept = FOUND.try_with(|found| {
        let found = found.try_borrow().ok()?;
        found.as_ref().filter(|(of, _)| *of == id).map(|(_, side)| Arc::clone(side))
    });
    let side = kept.ok().flatten().unwrap_or_else(|| find(id, &handle));
    Some(f(&side, &handle))
}

/// Calls `f` with what the calling thread found last, which is that of another runtime only until the
/// thread's next measured call.
#[inline]
pub(super) fn with_last<R>(f: impl FnOnce(&IoSide) -> R) -> Option<R> {
    let last = |found: &RefCell<Option<(Id, Arc<IoSide>)>>| {
        let found = found.try_borrow().ok()?;
        Some(f(&found.as_ref()?.1))
    };
    FOUND.try_with(last).ok().flatten()
}

#[cold]
fn find(id: Id, handle: &Handle) -> Arc<IoSide> {
    let mut sides = SIDES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = sides.iter().find(|(of, _)| *of == id).and_then(|(_, side)| side.upgrade());
    let side = known.unwrap_or_else(|| {
        sides.retain(|(_, side)| side.strong_count() > 0);
        let side = Arc::new(IoSide::new(Some(handle.metrics().num_workers())));
        sides.push((id, Arc::downgrade(&side)));
        side
    });
    drop(sides);
    let new = Some((id, Arc::clone(&side)));
    // The earlier one is dropped outside of the borrow.
    drop(FOUND.try_with(|found| {
        found.try_borrow_mut().ok().and_then(|mut it| std::mem::replace(&mut *it, new))
    }));
    side
}
