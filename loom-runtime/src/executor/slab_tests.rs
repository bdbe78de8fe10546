//! What an executor promises about the storage it claims.

use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use super::Executor;
use super::tests::{outcome, poll_once};
use crate::sync::thread;

#[test]
fn a_claim_outlives_the_executor() {
    let executor = Executor::new(2);
    let (claim, other) = (executor.claim_slab(), executor.claim_slab());
    assert!(executor.try_claim_slab().is_none());
    let refused = catch_unwind(AssertUnwindSafe(|| executor.claim_slab()));
    assert!(refused.is_err());
    drop(executor);
    drop(other);
    let future = claim.spawn(ready(7)).expect_err("the executor was dropped").into_future();
    assert_eq!(poll_once(&mut { future }), Poll::Ready(7));
}

#[test]
fn a_slot_comes_back_from_another_thread() {
    let mut executor = Executor::new(1);
    for i in 0..100 {
        let handle = executor.claim_slab().spawn_joined(ready(i)).expect("there is room");
        assert!(executor.try_claim_slab().is_none());
        executor.poll();
        assert!(executor.try_claim_slab().is_none(), "the handle keeps the slot");
        let outcome = thread::spawn(move || outcome(handle)).join().expect("no panic");
        assert_eq!(outcome.ok(), Some(i));
    }
}

#[test]
fn a_slab_gives_back_what_it_cannot_hold_or_spills() {
    let executor = Executor::builder().slots(1).slot_bytes(64).build();
    let large = [1_u8; 1000];
    let refused = executor.spawn_slab(async move {
        ready(()).await;
        large
    });
    let refused = refused.expect_err("the future is too large");
    assert!(refused.to_string().contains("does not fit a slot"), "{refused}");
    drop(refused.into_future());
    executor.spawn_slab(pending::<()>()).expect("there is room");
    let refused = executor.spawn_slab(ready(())).expect_err("the slot is taken");
    assert!(refused.to_string().starts_with("every slot"), "{refused}");

    let mut spills = Executor::builder().slots(1).slot_bytes(64).spill_to_heap(true).build();
    spills
        .spawn_slab(async move {
            ready(()).await;
            large
        })
        .expect("on the heap");
    spills.spawn_slab(ready(())).expect("in the slot");
    spills.spawn_slab(ready(())).expect("on the heap");
    assert_eq!(spills.poll(), 3);
    assert!(catch_unwind(|| Executor::builder().slots(usize::MAX).build()).is_err());
}

#[test]
fn aligned_futures_are_placed_right() {
    #[repr(align(128))]
    struct Strict(u8);
    #[repr(align(4096))]
    struct Page(u8);

    let mut executor = Executor::builder().slots(4).slot_bytes(1024).build();
    for i in 0..4 {
        let strict = Strict(i);
        executor
            .spawn_slab(poll_fn(move |_| {
                assert!((&raw const strict).is_aligned(), "{}", strict.0);
                Poll::Ready(())
            }))
            .expect("there is room");
    }
    let page = Page(7);
    let boxed = executor.spawn(poll_fn(move |_| {
        assert!((&raw const page).is_aligned(), "{}", page.0);
        Poll::Ready(())
    }));
    assert_eq!(executor.poll(), 5);
    assert!(outcome(boxed).is_ok());
}

fn bytes_of<F: Future>(_: &F) -> usize {
    Executor::slot_bytes_of::<F>()
}

#[repr(align(64))]
struct Strict<const N: usize>([u8; N]);

#[test]
fn a_slot_is_as_large_as_it_says() {
    fn check<const N: usize>() {
        let (data, strict) = ([7_u8; N], Strict([7; N]));
        let plain = async move {
            ready(()).await;
            data.len()
        };
        let aligned = async move {
            ready(()).await;
            strict.0.len()
        };
        let with_slots_of = |bytes| Executor::builder().slots(1).slot_bytes(bytes).build();
        with_slots_of(bytes_of(&plain)).spawn_slab(plain).expect("it fits");
        with_slots_of(bytes_of(&aligned)).spawn_slab(aligned).expect("it fits");
    }
    check::<0>();
    check::<1>();
    check::<40>();
    check::<56>();
    check::<88>();
    check::<120>();
    check::<200>();
    check::<330>();
    check::<1000>();
}
