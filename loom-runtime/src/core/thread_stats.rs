//! The functions that a thread calls, with its own statistics of each, without a lock or a
//! reference count.

use std::cell::RefCell;

use crate::scheduler::{Site, ThreadStats};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, PoisonError};
use crate::topology::os;

use super::function::Function;
use super::shared::Core;

/// Of how many runtimes a thread keeps its shares; most threads see one.
const RUNTIMES: usize = 4;

/// One thread's part of one function.
pub(crate) struct OwnFunction {
    pub(crate) function: Arc<Function>,
    pub(crate) stats: Arc<ThreadStats>,
}

/// What a thread has of one runtime, by the index of the site.
struct RuntimeFunctions {
    id: u64,
    /// Whether it takes no new work.
    refuses: Arc<AtomicBool>,
    own: Vec<Option<OwnFunction>>,
}

thread_local! {
    /// The one used last comes first.
    static FUNCTIONS: RefCell<Vec<RuntimeFunctions>> = const { RefCell::new(Vec::new()) };
}

/// Whether a call runs inline, as the verdict of this thread has it. The usual answer, at the
/// cost of a thread-local and some loads.
#[inline]
pub(crate) fn is_settled(core: &Core, index: u32) -> bool {
    let settled = FUNCTIONS.try_with(|shares| {
        let Ok(shares) = shares.try_borrow() else { return false };
        let Some(first) = shares.first().filter(|first| first.id == core.id) else { return false };
        let own = first.own.get(index as usize).and_then(Option::as_ref);
        let own = own.filter(|_| !first.refuses.load(Ordering::Relaxed));
        own.is_some_and(|own| {
            own.stats.is_settled(&own.function.record, core.pressure_level(), os::tick())
        })
    });
    settled.unwrap_or(false)
}

/// Gives this thread's part of a function to `f`.
pub(crate) fn with<R>(
    core: &Core,
    site: &'static Site,
    class: u8,
    f: impl FnOnce(&OwnFunction) -> R,
) -> R {
    let index = site.index(class);
    let mut f = Some(f);
    let given = FUNCTIONS.try_with(|shares| {
        let mut shares = shares.try_borrow_mut().ok()?;
        let at = shares.iter().position(|of| of.id == core.id);
        match at {
            Some(0) => {}
            Some(at) => shares.swap(0, at),
            None => {
                shares.truncate(RUNTIMES - 1);
                let refuses = Arc::clone(core.lifecycle.refusals());
                shares.insert(0, RuntimeFunctions { id: core.id, refuses, own: Vec::new() });
            }
        }
        let own_of = &mut shares[0].own;
        let place = index as usize;
        if own_of.len() <= place {
            own_of.resize_with(place + 1, || None);
        }
        let own = own_of[place].get_or_insert_with(|| own(core, site, class));
        f.take().map(|f| f(own))
    });
    match (given, f) {
        (Ok(Some(result)), _) => result,
        // While the thread's locals are destroyed, nothing is cached.
        (_, Some(f)) => f(&own(core, site, class)),
        (_, None) => unreachable!("it was either called or not"),
    }
}

/// The statistics that an ended thread has left, or new ones.
fn own(core: &Core, site: &'static Site, class: u8) -> OwnFunction {
    let function = Arc::clone(core.function(site, class));
    let mut shares = function.all_stats.lock().unwrap_or_else(PoisonError::into_inner);
    // The list has one count of each, so statistics without another count have no thread.
    let left = shares.iter().find(|stats| Arc::strong_count(stats) == 1).map(Arc::clone);
    let stats = left.unwrap_or_else(|| {
        let seed = u64::from(site.index(class)) << 32 | shares.len() as u64;
        let stats = Arc::new(ThreadStats::new(seed));
        shares.push(Arc::clone(&stats));
        stats
    });
    drop(shares);
    OwnFunction { function, stats }
}
