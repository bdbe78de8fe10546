//! Which compute functions the requests of one route call, so that a route whose functions run inline is
//! not turned away for a queue that it does not join.

use std::cell::RefCell;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The most functions that a route keeps apart; one with more counts as joining the queue.
const MOST: usize = 16;

/// `Relaxed` everywhere: what is noted late is missed for one request.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// The indices of functions, plus one; 0 is none. Filled from the first on.
    functions: [AtomicU32; MOST],
    /// It has made a call that always goes to the pool.
    joins_queue: AtomicBool,
    /// What all routes of the layer call: a route is asked about that has had no requests yet. Axum wraps the
    /// services of a router without state anew for each connection.
    of_layer: Option<Arc<Route>>,
}

thread_local! {
    /// The route whose request the thread polls.
    static CURRENT: RefCell<Option<Arc<Route>>> = const { RefCell::new(None) };
}

impl Route {
    /// A new route of a layer, which has this one for all its routes.
    pub(crate) fn of_layer(all: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { of_layer: Some(Arc::clone(all)), ..Self::default() })
    }

    /// Calls `f`, which polls a request of this route.
    pub(crate) fn within<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        /// Restores the route around this one.
        struct Restore(Option<Arc<Route>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                drop(replace(self.0.take()));
            }
        }
        let _restore = Restore(replace(Some(Arc::clone(self))));
        f()
    }

    fn note(&self, function: u32) {
        if let Some(all) = &self.of_layer {
            all.note(function);
        }
        for place in &self.functions {
            let mut taken = place.load(Ordering::Relaxed);
            if taken == 0 {
                let new = function + 1;
                taken = match place.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => new,
                    Err(of_another_thread) => of_another_thread,
                };
            }
            if taken == function + 1 {
                return;
            }
        }
        self.note_queue();
    }

    fn note_queue(&self) {
        self.joins_queue.store(true, Ordering::Relaxed);
        if let Some(all) = &self.of_layer {
            all.note_queue();
        }
    }

    /// The functions that its requests have called, or those of its layer's routes as long as it has called none;
    /// if all of them are known and there are any.
    pub(crate) fn functions(&self) -> Option<impl Iterator<Item = u32>> {
        let is_new = self.functions[0].load(Ordering::Relaxed) == 0
            && !self.joins_queue.load(Ordering::Relaxed);
        let asked = self.of_layer.as_deref().filter(|_| is_new).unwrap_or(self);
        let known = || {
            let noted = asked.functions.iter().map(|place| place.load(Ordering::Relaxed));
            noted.take_while(|place| *place != 0).map(|place| place - 1)
        };
        let is_known = !asked.joins_queue.load(Ordering::Relaxed) && known().next().is_some();
        is_known.then(known)
    }
}

fn replace(route: Option<Arc<Route>>) -> Option<Arc<Route>> {
    CURRENT.try_with(|current| current.replace(route)).ok().flatten()
}

fn with_current(f: impl FnOnce(&Route)) {
    // A thread that is being torn down polls no request.
    let _ = CURRENT.try_with(|current| {
        if let Ok(current) = current.try_borrow()
            && let Some(route) = &*current
        {
            f(route);
        }
    });
}

/// A function is called whose index this is; settled calls need not be noted.
pub(crate) fn calls(function: u32) {
    with_current(|route| route.note(function));
}

/// A call is made that belongs to no function and goes to the pool.
pub(crate) fn joins_queue() {
    with_current(Route::note_queue);
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn known(route: &Route) -> Option<Vec<u32>> {
        route.functions().map(Iterator::collect)
    }

    #[test]
    fn a_route_knows_the_functions_of_its_own_requests() {
        let [outer, inner] = [(); 2].map(|()| Arc::new(Route::default()));
        calls(1);
        assert_eq!(known(&outer), None, "nothing is known");
        outer.within(|| {
            calls(0);
            inner.within(|| calls(7));
            (0..3).for_each(|_| calls(3));
        });
        calls(2);
        assert_eq!((known(&outer), known(&inner)), (Some(vec![0, 3]), Some(vec![7])));
        inner.within(joins_queue);
        assert_eq!(known(&inner), None, "it goes to the pool in any case");
        outer.within(|| (0..20).for_each(calls));
        assert_eq!(known(&outer), None, "too many");
    }

    #[test]
    fn a_new_route_is_as_the_others_of_its_layer() {
        let all = Arc::default();
        let [first, second, third] = [(); 3].map(|()| Route::of_layer(&all));
        assert_eq!(known(&second), None);
        first.within(|| calls(3));
        assert_eq!(known(&second), Some(vec![3]), "it has had no request yet");
        second.within(|| calls(5));
        assert_eq!((known(&first), known(&second)), (Some(vec![3]), Some(vec![5])), "its own");
        assert_eq!(known(&third), Some(vec![3, 5]));
        second.within(joins_queue);
        assert_eq!((known(&first), known(&second)), (Some(vec![3]), None));
        assert_eq!(known(&third), None);
    }
}
