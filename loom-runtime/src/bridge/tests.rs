//! Tests of the rules of `README.md` for a slot, one step at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use super::{Call, End, Fault, Observer, Priority};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, rounds, thread};

/// What an observer was called with.
#[derive(Default)]
struct Record {
    ends: Mutex<Vec<(End, bool)>>,
    withdrawn: AtomicUsize,
}

impl Record {
    fn end(&self) -> (End, bool) {
        let ends = self.ends.lock().expect("not poisoned");
        assert_eq!(ends.len(), 1, "an observer ends once: {ends:?}");
        ends[0]
    }
}

struct Recorder {
    record: Arc<Record>,
    hook: Box<dyn FnOnce() + Send>,
}

impl Observer for Recorder {
    type After = ();

    fn may_start(&self) -> bool {
        true
    }

    fn withdraw(&self) {
        self.record.withdrawn.fetch_add(1, Ordering::Relaxed);
    }

    fn end(self, end: End, unwanted: bool) {
        self.record.ends.lock().expect("not poisoned").push((end, unwanted));
        (self.hook)();
    }
}

/// A job, and the record of its observer.
struct Job {
    job: super::complete::Job,
    record: Arc<Record>,
}

fn call_with<F, R>(f: F, hook: impl FnOnce() + Send + 'static) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let record = Arc::new(Record::default());
    let observer = Recorder { record: Arc::clone(&record), hook: Box::new(hook) };
    let (job, call) = super::call(f, observer, Priority::Normal);
    (Job { job, record }, call)
}

fn call<F, R>(f: F) -> (Job, Call<R>)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    call_with(f, || ())
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts its drops, and panics in the first of them if `panics` says so.
struct Dropped {
    count: Arc<AtomicUsize>,
    panics: bool,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a drop that panics on purpose");
    }
}

fn poll<R>(call: &mut Call<R>) -> Poll<super::Outcome<R>> {
    pin!(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs the job, and returns how it ended and whether its future had been dropped.
fn ended(job: Job) -> (End, bool) {
    if let Some(started) = job.job.start() {
        started.run();
    }
    job.record.end()
}

#[test]
fn a_result_crosses_and_wakes_once() {
    let counted = Arc::new(CountWakes::default());
    let waker = Waker::from(Arc::clone(&counted));
    let (job, call) = call(|| 7);
    let mut call = pin!(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(ended(job), (End::Returned, false));
    assert_eq!(counted.0.load(Ordering::Relaxed), 1);
    assert!(matches!(call.poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(7))));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let counted = [(); 2].map(|()| Arc::new(CountWakes::default()));
    let (job, mut call) = call(|| ());
    for counted in &counted {
        let waker = Waker::from(Arc::clone(counted));
        assert!(pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    ended(job);
    assert_eq!(counted.map(|w| w.0.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn a_panic_crosses_as_its_payload() {
    let (job, mut call) = call(|| -> () { std::panic::panic_any(42_u8) });
    assert_eq!(ended(job), (End::Panicked, false));
    let Poll::Ready(Err(Fault::Panicked(payload))) = poll(&mut call) else {
        panic!("the call ends in the panic");
    };
    assert_eq!(payload.downcast_ref(), Some(&42_u8));
}

#[test]
fn a_call_that_was_polled_and_dropped_never_starts() {
    let count = Arc::new(AtomicUsize::new(0));
    let captured = Dropped { count: Arc::clone(&count), panics: true };
    let (job, mut call) = call(move || {
        let _captured = captured;
        unreachable!("cancelled before it started")
    });
    assert!(poll::<()>(&mut call).is_pending());
    drop(call);
    assert_eq!(count.load(Ordering::Relaxed), 1, "what it captured is dropped at once");
    assert_eq!(job.record.withdrawn.load(Ordering::Relaxed), 1);
    assert_eq!(ended(job), (End::Cancelled, true));
}

#[test]
fn a_call_that_was_never_polled_is_detached() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let (job, call) = call(move || counted.fetch_add(1, Ordering::Relaxed));
    drop(call);
    assert_eq!(ended(job), (End::Returned, false));
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[test]
fn an_abandoned_result_is_dropped_by_the_job_even_if_its_drop_panics() {
    let count = Arc::new(AtomicUsize::new(0));
    let result = Dropped { count: Arc::clone(&count), panics: true };
    let given_up = Arc::new(Mutex::new(None::<Call<Dropped>>));
    let holder = Arc::clone(&given_up);
    let (job, mut call) = call(move || {
        // The caller gives up while the closure runs.
        drop(holder.lock().expect("not poisoned").take());
        result
    });
    assert!(poll(&mut call).is_pending());
    *given_up.lock().expect("not poisoned") = Some(call);
    assert_eq!(ended(job), (End::Returned, true));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_detached_result_is_dropped_before_the_job_says_that_it_has_ended() {
    let count = Arc::new(AtomicUsize::new(0));
    let result = Dropped { count: Arc::clone(&count), panics: true };
    let dropped_before = Arc::new(AtomicUsize::new(0));
    let hook = {
        let dropped_before = Arc::clone(&dropped_before);
        move || dropped_before.store(count.load(Ordering::Relaxed), Ordering::Relaxed)
    };
    let (job, call) = call_with(move || result, hook);
    drop(call);
    assert_eq!(ended(job), (End::Returned, false));
    assert_eq!(dropped_before.load(Ordering::Relaxed), 1);
}

#[test]
fn a_panicking_ticket_does_not_lose_the_outcome() {
    let (job, mut call) = call_with(|| 1, || panic!("an observer that panics on purpose"));
    ended(job);
    assert!(matches!(poll(&mut call), Poll::Ready(Ok(1))));
}

#[test]
fn a_job_that_is_dropped_refuses_its_call() {
    let (job, mut call) = call(|| ());
    drop(job.job);
    assert!(matches!(poll(&mut call), Poll::Ready(Err(Fault::Refused))));
    assert_eq!(job.record.end(), (End::Refused, false));
}

#[test]
fn a_waker_that_panics_when_cloned_leaves_the_call_as_it_was() {
    use std::task::{RawWaker, RawWakerVTable};
    static VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("a clone that panics on purpose"), |_| (), |_| (), |_| ());
    // SAFETY: B3, the functions access no memory.
    let bomb = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
    let counted = Arc::new(CountWakes::default());
    let waker = Waker::from(Arc::clone(&counted));
    let (job, mut call) = call(|| 1);
    assert!(pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    let panics = || pin!(&mut call).poll(&mut Context::from_waker(&bomb)).is_pending();
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    ended(job);
    assert_eq!(counted.0.load(Ordering::Relaxed), 1, "the earlier waker is still in its cell");
    assert!(matches!(poll(&mut call), Poll::Ready(Ok(1))));
}

#[test]
fn large_and_strictly_aligned_calls_come_from_the_heap() {
    #[derive(Clone, Copy)]
    #[repr(align(256))]
    struct Strict([u8; 2000]);
    let value = Strict([7; 2000]);
    let (job, mut call) = call(move || Strict(value.0.map(|byte| byte + 1)));
    ended(job);
    let Poll::Ready(Ok(value)) = poll(&mut call) else { panic!("the closure returned") };
    assert!(value.0.iter().all(|byte| *byte == 8));
    assert_eq!(std::ptr::from_ref(&value).addr() % 256, 0);
}

#[test]
fn the_work_is_told_once_its_caller_has_gone() {
    let given_up = Arc::new(Mutex::new(None::<Call<[Option<bool>; 2]>>));
    let holder = Arc::clone(&given_up);
    let seen = Arc::new(Mutex::new([None; 2]));
    let writer = Arc::clone(&seen);
    let (job, mut call) = call(move || {
        let before = super::current_is_unwanted();
        drop(holder.lock().expect("not poisoned").take());
        let answers = [before, super::current_is_unwanted()];
        *writer.lock().expect("not poisoned") = answers;
        answers
    });
    assert!(poll(&mut call).is_pending());
    *given_up.lock().expect("not poisoned") = Some(call);
    ended(job);
    assert_eq!(*seen.lock().expect("not poisoned"), [Some(false), Some(true)]);
    assert_eq!(super::current_is_unwanted(), None, "no call runs here");
}

#[test]
fn a_panicking_waker_does_not_reach_the_pool() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics on purpose");
        }
    }
    let waker = Waker::from(Arc::new(Bomb));
    let (job, mut call) = call(|| 1);
    assert!(pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(ended(job), (End::Returned, false));
    assert!(matches!(poll(&mut call), Poll::Ready(Ok(1))));
}

#[test]
fn polling_after_completion_is_refused_loudly() {
    let (job, mut call) = call(|| 1);
    ended(job);
    assert!(poll(&mut call).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut call))).is_err());
}

#[test]
fn racing_ends_lose_neither_results_nor_wakes() {
    let count = Arc::new(AtomicUsize::new(0));
    for round in 0..rounds(2_000) {
        let result = Dropped { count: Arc::clone(&count), panics: false };
        let (job, mut call) = call(move || result);
        let Job { job, record } = job;
        let worker = thread::spawn(move || job.start().map(super::complete::Started::run));
        if round % 2 == 0 {
            struct Unpark(thread::Thread);
            impl Wake for Unpark {
                fn wake(self: Arc<Self>) {
                    self.0.unpark();
                }
            }
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            while pin!(&mut call).poll(&mut Context::from_waker(&waker)).is_pending() {
                thread::park();
            }
        } else {
            let _pending = poll(&mut call);
            drop(call);
        }
        let _ran = worker.join().expect("a job does not panic");
        // Now both ends have left the slot.
        let _end = record.end();
        assert_eq!(count.load(Ordering::Relaxed), round + 1, "each result is dropped once");
    }
}
