//! The functions that a thread calls, each with the thread's own statistics. A thread reads them
//! without a lock and without a reference count.

use std::cell::RefCell;

use crate::scheduler::{Site, ThreadStats};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, PoisonError};
use crate::topology::os;

use super::function::Function;
use super::shared::Core;

/// For how many runtimes a thread keeps its statistics; most threads use one runtime.
const RUNTIMES: usize = 4;

/// One function, with one thread's statistics of it.
pub(crate) struct OwnFunction {
    pub(crate) function: Arc<Function>,
    pub(crate) stats: Arc<ThreadStats>,
}

/// The functions of one runtime that a thread has called.
struct RuntimeFunctions {
    id: u64,
    /// Whether the runtime refuses new work.
    refuses: Arc<AtomicBool>,
    /// By the index of the site.
    own: Vec<Option<OwnFunction>>,
}

thread_local! {
    /// The runtime that was used last comes first.
    static FUNCTIONS: RefCell<Vec<RuntimeFunctions>> = const { RefCell::new(Vec::new()) };
}

/// Whether the call is settled: by the verdict of this thread it runs inline. This is the usual
/// case, and costs an access to a thread-local and some loads.
#[inline]
pub(crate) fn is_settled(core: &Core, index: u32) -> bool {
    is_settled_if(core, index, |_| true)
}

/// [`is_settled`], if the function is as `may` asks.
#[inline]
pub(crate) fn is_settled_if(core: &Core, index: u32, may: impl FnOnce(&Function) -> bool) -> bool {
    let settled = FUNCTIONS.try_with(|runtimes| {
        let Ok(runtimes) = runtimes.try_borrow() else { return false };
        let first = runtimes.first().filter(|first| first.id == core.id);
        let Some(first) = first else { return false };
        let own = first.own.get(index as usize).and_then(Option::as_ref);
        let own = own.filter(|_| !first.refuses.load(Ordering::Relaxed));
        own.filter(|own| may(&own.function)).is_some_and(|own| {
            own.stats.is_settled(&own.function.record, core.pressure_level(), os::tick)
        })
    });
    settled.unwrap_or(false)
}

/// Calls `f` with a function and this thread's statistics of it.
pub(crate) fn with<R>(
    core: &Core,
    site: &'static Site,
    class: u8,
    f: impl FnOnce(&OwnFunction) -> R,
) -> R {
    let index = site.index(class);
    let mut f = Some(f);
    let cached = FUNCTIONS.try_with(|runtimes| {
        let mut runtimes = runtimes.try_borrow_mut().ok()?;
        let at = runtimes.iter().position(|runtime| runtime.id == core.id);
        match at {
            Some(0) => {}
            Some(at) => runtimes.swap(0, at),
            None => {
                runtimes.truncate(RUNTIMES - 1);
                let refuses = Arc::clone(core.lifecycle.refusals());
                runtimes.insert(0, RuntimeFunctions { id: core.id, refuses, own: Vec::new() });
            }
        }
        let functions = &mut runtimes[0].own;
        let place = index as usize;
        if functions.len() <= place {
            functions.resize_with(place + 1, || None);
        }
        let own = functions[place].get_or_insert_with(|| own(core, site, class));
        f.take().map(|f| f(own))
    });
    match (cached, f) {
        (Ok(Some(result)), _) => result,
        // While the thread-locals are destroyed, or borrowed, nothing is cached.
        (_, Some(f)) => f(&own(core, site, class)),
        (_, None) => unreachable!("it was either called or not"),
    }
}

/// The statistics of a thread that has ended, or new ones.
fn own(core: &Core, site: &'static Site, class: u8) -> OwnFunction {
    let function = Arc::clone(core.function(site, class));
    let mut all_stats = function.all_stats.lock().unwrap_or_else(PoisonError::into_inner);
    // The list holds one count of each, so statistics without another count have no thread.
    let left = all_stats.iter().find(|stats| Arc::strong_count(stats) == 1).map(Arc::clone);
    let stats = left.unwrap_or_else(|| {
        let seed = u64::from(site.index(class)) << 32 | all_stats.len() as u64;
        let stats = Arc::new(ThreadStats::new(seed));
        all_stats.push(Arc::clone(&stats));
        stats
    });
    drop(all_stats);
    OwnFunction { function, stats }
}
