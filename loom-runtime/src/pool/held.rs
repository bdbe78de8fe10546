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

/// One word that stands for a future of any size: cheap to move, also in a register, and cheap for the
/// compiler to analyse.
pub(crate) struct Held<R> {
    /// P5: the first part of a [`Block`] for the type that the functions are for, from `new` until the
    /// drop.
    block: NonNull<Functions<R>>,
}

/// What can be done with the block, whatever is in it.
struct Functions<R> {
    poll: unsafe fn(NonNull<Functions<R>>, &mut Context<'_>) -> Poll<R>,
    drop: unsafe fn(NonNull<Functions<R>>),
}

#[repr(C)]
struct Block<R, T> {
    functions: Functions<R>,
    future: T,
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
        let functions = Functions { poll: poll::<K, R>, drop: drop_in::<K, R> };
        let block = take(Layout::new::<Block<R, K::Of<R>>>()).cast();
        // SAFETY: P1, P4: this function owns the block, which is large enough.
        unsafe { block.write(Block { functions, future }) };
        Self { block: block.cast() }
    }
}

/// # Safety
///
/// P5 for this kind and result, and no other code uses the block.
unsafe fn poll<K: Kind, R>(block: NonNull<Functions<R>>, cx: &mut Context<'_>) -> Poll<R> {
    // SAFETY: P5, by contract.
    let block = unsafe { block.cast::<Block<R, K::Of<R>>>().as_mut() };
    Pin::new(&mut block.future).poll(cx)
}

/// # Safety
///
/// P5 for this kind and result, and the block is not used again.
unsafe fn drop_in<K: Kind, R>(block: NonNull<Functions<R>>) {
    /// Gives the block back even if the drop of the future panics.
    struct Back(NonNull<u8>, Layout);
    impl Drop for Back {
        fn drop(&mut self) {
            // SAFETY: P1, P3, P4: this value owns the block, took it with this layout, and has
            // dropped its content.
            unsafe { give(self.0, self.1) };
        }
    }
    let _back = Back(block.cast(), Layout::new::<Block<R, K::Of<R>>>());
    // SAFETY: P5, by contract.
    unsafe { block.cast::<Block<R, K::Of<R>>>().drop_in_place() };
}

impl<R> Future for Held<R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        // SAFETY: P5, the block exists until the drop.
        let poll = unsafe { self.block.as_ref() }.poll;
        // SAFETY: P5; `self` is the only reference to the holder.
        unsafe { poll(self.block, cx) }
    }
}

impl<R> Drop for Held<R> {
    fn drop(&mut self) {
        // SAFETY: P5, the block exists until this.
        let drop = unsafe { self.block.as_ref() }.drop;
        // SAFETY: P5; the future is dropped once, and not used after this.
        unsafe { drop(self.block) };
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
