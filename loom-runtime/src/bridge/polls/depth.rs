//! How deep polls and drops of compute futures are nested on a thread.

use std::cell::{Cell, RefCell};

use crate::sync::thread::LocalKey;

/// So many drops of futures may be nested. An async function's drop takes little stack, but what it
/// drops is the program's.
const DROPS: u32 = 32;

thread_local! {
    static NESTED_POLLS: Cell<u32> = const { Cell::new(0) };
    static NESTED_DROPS: Cell<u32> = const { Cell::new(0) };
    /// Drops that wait until the outermost one has ended.
    static WAITING: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// One more level, until this is dropped.
struct Level(&'static LocalKey<Cell<u32>>);

impl Level {
    #[inline]
    fn enter(depth: &'static LocalKey<Cell<u32>>) -> Self {
        depth.set(depth.get() + 1);
        Self(depth)
    }
}

impl Drop for Level {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// How many polls are under way on this thread, one within another.
#[inline]
pub(crate) fn polls() -> u32 {
    NESTED_POLLS.get()
}

/// Calls `f`, which polls a future.
#[inline]
pub(crate) fn poll_nested<R>(f: impl FnOnce() -> R) -> R {
    let _level = Level::enter(&NESTED_POLLS);
    f()
}

/// Calls `f`, which drops a future, or has it called when the outermost drop has ended. It does not
/// panic.
pub(super) fn drop_nested(f: impl FnOnce() + 'static) {
    if NESTED_DROPS.get() >= DROPS {
        // A thread whose thread-locals are destroyed nests after all.
        let mut f = Some(f);
        let is_put = WAITING.try_with(|waiting| {
            let Some(f) = f.take() else { unreachable!("it is called once") };
            waiting.borrow_mut().push(Box::new(f));
        });
        if is_put.is_ok() {
            return;
        }
        return f.take().map_or((), |f| f());
    }
    let level = Level::enter(&NESTED_DROPS);
    f();
    if level.0.get() == 1 {
        // Each may put others there.
        while let Some(next) = next() {
            next();
        }
    }
}

fn next() -> Option<Box<dyn FnOnce()>> {
    WAITING.try_with(|waiting| waiting.borrow_mut().pop()).ok().flatten()
}
