//! What a plug-in asks of its host on threads that must not wait.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use loom_abi::{Job, Plugin, Report, Runtime, RuntimeHandle, Status, Table, Text, ThreadKind};

use super::unloading::keeps_nothing;
use super::{ask, load, two_and_two, until};

static REAL: OnceLock<Table> = OnceLock::new();
static IS_ATTACHED: AtomicBool = AtomicBool::new(false);
static LATE: AtomicUsize = AtomicUsize::new(0);

/// `start_thread` of a host that counts the threads that it starts once the plug-in is attached.
unsafe extern "C" fn counted(
    runtime: *const Runtime,
    kind: ThreadKind,
    number: usize,
    body: Job,
) -> Status {
    if IS_ATTACHED.load(Ordering::Relaxed) {
        LATE.fetch_add(1, Ordering::Relaxed);
    }
    let real = REAL.get().expect("it was set before the plug-in got this function");
    // SAFETY: the arguments are passed on as they came.
    unsafe { (real.start_thread)(runtime, kind, number, body) }
}

/// A plug-in asks for its threads while it attaches, since the host may wait for the system then. Its
/// tasks and calls ask for none, and neither does its `leave`.
pub(super) fn no_late_threads(folder: &Path, names: &[&str]) {
    keeps_nothing();
    for name in names {
        let runtime = two_and_two();
        let plugin = load(&runtime, folder, name);
        // SAFETY: a library with `export!` exports this static.
        let exported: *const Plugin = unsafe { plugin.symbol("LOOM_PLUGIN") }.expect("it is there");
        // SAFETY: as above.
        let exported = unsafe { &*exported };
        let mut room = [0_u8; 200];
        let mut text = Text { data: room.as_mut_ptr(), capacity: room.len(), len: 0 };
        // SAFETY: this thread may wait, and the text has that room.
        let detached = unsafe { (exported.detach)(10_000_000_000, &mut text) };
        assert_eq!(detached, Status::DONE, "{}", String::from_utf8_lossy(&room[..text.len]));

        let handle = runtime.plugin_handle("by hand");
        let own = handle.as_raw();
        // SAFETY: the table is one of this program's Loom.
        let real = *REAL.get_or_init(|| unsafe { *own.table() });
        let table = Box::leak(Box::new(Table { start_thread: counted, ..real }));
        // SAFETY: the table stays for as long as the process, and differs in a function of that type.
        let made_up = unsafe { RuntimeHandle::from_parts(table, own.runtime()) };
        // SAFETY: as for `detach`.
        let attached = unsafe { (exported.attach)(made_up, &mut text) };
        assert_eq!(attached, Status::DONE, "{}", String::from_utf8_lossy(&room[..text.len]));
        IS_ATTACHED.store(true, Ordering::Relaxed);
        ask(&plugin, "results");
        ask(&plugin, "timers");
        until(|| plugin.live() == Report::default());
        until(|| handle.stats().tasks == 0 && handle.stats().compute_calls == 0);
        let left = runtime.shutdown_timeout(Duration::from_secs(10));
        assert_eq!((left.tasks, left.compute_calls), (0, 0), "{left}");
        assert_eq!(LATE.load(Ordering::Relaxed), 0, "threads after the start");
        IS_ATTACHED.store(false, Ordering::Relaxed);
    }
}
