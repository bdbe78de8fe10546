//! The cases that the tests' plug-ins run. Each plug-in has its own copy of this library.

mod calls;
mod endings;
mod entries;
mod facilities;
mod threads;
mod wakers;

use std::error::Error;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::plugin::{Attach, Attached};
use loom_abi::{Bytes, RuntimeHandle, Status, Work};

/// The host that this library was attached to when it was loaded.
static ATTACHED: OnceLock<Option<Attached>> = OnceLock::new();

pub fn start(attach: Attach<'_>) -> Result<(), Box<dyn Error>> {
    let attached = attach.start()?;
    match std::env::var("PLUGIN_START").as_deref() {
        Ok("fails") => return Err("it was told to fail".into()),
        Ok("panics") => panic!("it was told to panic"),
        _ => {}
    }
    // A plug-in that keeps no handle can be unloaded.
    let keeps = std::env::var_os("PLUGIN_KEEPS_NOTHING").is_none();
    let _ = ATTACHED.set(keeps.then_some(attached));
    Ok(())
}

pub(crate) fn attached() -> Attached {
    match ATTACHED.get() {
        Some(Some(attached)) => attached.clone(),
        _ => loom::plugin::current().expect("the library is attached"),
    }
}

type Case = fn();

const CASES: &[(&str, Case)] = &[
    ("results", calls::results),
    ("free", calls::free_functions),
    ("handles", calls::handles_alone),
    ("nested", calls::nested_spawns),
    ("panics", calls::panics),
    ("join", calls::nested_joins),
    ("join_there", calls::nested_joins_there),
    ("mixture", calls::mixture),
    ("threads", threads::only_the_hosts),
    ("timers", facilities::timers),
    ("sockets", facilities::sockets),
    ("files", facilities::files),
    ("processes", facilities::processes),
    ("signals", facilities::signals),
    ("tasks", facilities::tasks),
    ("budget", facilities::budget),
    ("within", facilities::within_another),
    ("contexts", facilities::contexts),
    ("busy", facilities::busy),
    ("abort", endings::abort_drops_once),
    ("pending", endings::leaves_pending),
    ("pending_dropped", endings::pending_were_dropped),
    ("sleepers", endings::leaves_sleepers),
    ("sleepers_done", endings::sleepers_have_ended),
    ("forever", endings::leaves_one_until_told),
    ("tell", endings::tells_it),
    ("refused", endings::is_refused_after_the_end),
    ("keep", endings::keeps_a_handle),
    ("awaited", endings::awaits_from_a_thread),
    ("awaited_done", endings::what_was_awaited_came),
    ("spin", endings::computes_until_told),
    ("stop", endings::stops_computing),
    ("block", endings::blocks_until_told),
    ("refuses", endings::refuses_what_comes_late),
    ("detached", endings::is_attached_to_nothing),
    ("worker", entries::refused_on_a_worker),
    ("compute", entries::refused_on_compute_threads),
    ("here", entries::refused_here),
    ("elsewhere", entries::allowed_elsewhere),
    ("wakes", wakers::a_million_wakes),
    ("same", wakers::will_wake_holds),
    ("idle", wakers::leaves_a_pending_task),
    ("idle_polls", wakers::it_was_not_polled),
    ("live", nothing_is_left),
];

pub fn run(name: Bytes) -> u32 {
    // SAFETY: the host lends a name, which is valid for the call.
    let name = unsafe { std::slice::from_raw_parts(name.data, name.len) };
    let case = CASES.iter().find(|(known, _)| known.as_bytes() == name);
    let Some((name, case)) = case else { return 2 };
    match catch_unwind(case) {
        Ok(()) => 0,
        Err(_told) => {
            eprintln!("case `{name}` failed in a plug-in");
            1
        }
    }
}

pub fn attach_to_wrong(handle: RuntimeHandle<'_>) -> u32 {
    let one = loom::plugin::Host::of(handle).is_err();
    // If the handle is not wrong after all, the library stays attached.
    let other = matches!(loom::plugin::attach(handle), Err(loom::plugin::AttachError::Version(_)));
    u32::from(!(one && other))
}

/// Works by the table alone, as a plug-in that is written by hand, and ends what it has not begun.
pub fn ends_too_much(handle: RuntimeHandle<'_>) -> u32 {
    // SAFETY: the host lends a handle of this version.
    let table = unsafe { *handle.table() };
    // SAFETY: the handle is lent, so there is a count.
    let begin = |work| unsafe { (table.begin)(handle.runtime(), work) };
    // SAFETY: as above.
    let end = |work| unsafe { (table.end)(handle.runtime(), work, Status::PANICKED) };
    for work in [Work::TASK, Work::COMPUTE] {
        let other = if work == Work::TASK { Work::COMPUTE } else { Work::TASK };
        let did = [end(work), begin(work), end(other), end(work), end(work)];
        let [refused, done] = [Status::REFUSED, Status::DONE];
        if did != [refused, done, refused, done, refused] {
            return 1;
        }
    }
    u32::from(begin(Work(9)) != Status::REFUSED || end(Work(9)) != Status::REFUSED)
}

/// Waits until all objects that were passed to the host are returned, now that work has ended.
fn nothing_is_left() {
    until(|| loom::plugin::live() == Default::default());
}

/// Waits until other threads make the condition true.
#[track_caller]
pub(crate) fn until(holds: impl Fn() -> bool) {
    while !holds() {
        std::thread::yield_now();
    }
}

/// The name of this thread, as the system knows it.
pub(crate) fn thread_name() -> String {
    let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
    name.trim_end().to_owned()
}

/// Counts its drops.
#[derive(Debug)]
pub(crate) struct Counted(&'static AtomicUsize);

impl Counted {
    pub(crate) fn new(drops: &'static AtomicUsize) -> Self {
        Self(drops)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
