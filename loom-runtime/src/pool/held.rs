//! A future in a recycled block, of which only the result type is known.

use std::alloc::Layout;
use std::fmt;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::{give, take};

/// A kind of futures that differ in their result type only: everything that such a future borrows,
/// its result borrows, too.
pub(crate) trait Kind: 'static {
    /// The future with this result. It is `Unpin`, since it is moved into the block.
    type Of<R>: Future<Output = R> + Unpin;
}

/// Three words that stand for a future of any size: cheap to move, and cheap for the compiler to
/// analyse.
pub(crate) struct Held<R> {
    /// P5: holds a future of the type that the two functions are for, from `new` until the drop.
    memory: NonNull<u8>,
    poll: unsafe fn(NonNull<u8>, &mut Context<'_>) -> Poll<R>,
    drop: unsafe fn(NonNull<u8>),
}

// SAFETY: P6: the future is `Send`, as `new` requires, and the holder has no other content.
unsafe impl<R> Send for Held<R> {}

// SAFETY: P6: a shared reference to the holder gives access to nothing.
unsafe impl<R> Sync for Held<R> {}

/// Moving the holder moves the pointer to the block, not the future in it.
impl<R> Unpin for Held<R> {}

impl<R> Held<R> {
    /// Takes a block, and puts the future into it.
    pub(crate) fn new<K: Kind>(future: K::Of<R>) -> Self
    where
        K::Of<R>: Send,
    {
        let memory = take(Layout::new::<K::Of<R>>());
        // SAFETY: P1, P4: this function owns the block, which is large enough.
        unsafe { memory.cast::<K::Of<R>>().write(future) };
        Self { memory, poll: poll::<K, R>, drop: drop_in::<K, R> }
    }
}

/// # Safety
///
/// P5 for this kind and result, and no other code uses the memory.
unsafe fn poll<K: Kind, R>(memory: NonNull<u8>, cx: &mut Context<'_>) -> Poll<R> {
    // SAFETY: P5, by contract.
    let future = unsafe { memory.cast::<K::Of<R>>().as_mut() };
    Pin::new(future).poll(cx)
}

/// # Safety
///
/// P5 for this kind and result, and the memory is not used again.
unsafe fn drop_in<K: Kind, R>(memory: NonNull<u8>) {
    /// Gives the block back even if the drop of the future panics.
    struct Back(NonNull<u8>, Layout);
    impl Drop for Back {
        fn drop(&mut self) {
            // SAFETY: P1, P3, P4: this value owns the block, took it with this layout, and has
            // dropped its content.
            unsafe { give(self.0, self.1) };
        }
    }
    let _back = Back(memory, Layout::new::<K::Of<R>>());
    // SAFETY: P5, by contract.
    unsafe { memory.cast::<K::Of<R>>().drop_in_place() };
}

impl<R> Future for Held<R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        // SAFETY: P5; `self` is the only reference to the holder.
        unsafe { (self.poll)(self.memory, cx) }
    }
}

impl<R> Drop for Held<R> {
    fn drop(&mut self) {
        // SAFETY: P5; the future is dropped once, and not used after this.
        unsafe { (self.drop)(self.memory) };
    }
}

impl<R> fmt::Debug for Held<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::future::Ready;
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;

    struct Readies;

    impl Kind for Readies {
        type Of<R> = Ready<R>;
    }

    fn poll<R>(held: &mut Held<R>) -> Poll<R> {
        Pin::new(held).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_held_is_polled_and_dropped_once() {
        let value = Arc::new(7);
        let mut held = Held::new::<Readies>(std::future::ready(Arc::clone(&value)));
        let moved = {
            assert_eq!(Arc::strong_count(&value), 2);
            let Poll::Ready(given) = poll(&mut held) else { panic!("it is ready") };
            given
        };
        assert_eq!((Arc::strong_count(&value), *moved), (2, 7));
        drop((held, moved));
        assert_eq!(Arc::strong_count(&value), 1);
        drop(Held::new::<Readies>(std::future::ready(Arc::clone(&value))));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_result_may_borrow() {
        let text = String::from("lent");
        let mut held = Held::new::<Readies>(std::future::ready(&*text));
        assert_eq!(poll(&mut held), Poll::Ready("lent"));
    }

    #[test]
    fn a_panic_in_the_drop_passes_and_loses_nothing() {
        struct Bad(#[expect(dead_code, reason = "it counts")] Arc<()>);
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let kept = Arc::new(());
        let held = Held::new::<Readies>(std::future::ready(Bad(Arc::clone(&kept))));
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(held)));
        assert!(dropped.is_err());
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
