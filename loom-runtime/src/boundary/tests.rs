//! Tests of both sides in one library, with a host of a few lines.

mod by_hand;
mod headers;
mod hostile;
mod ledger;
mod lent;
mod made_up;
mod pins;
mod statuses;
mod unusual;
mod wakers;

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom_abi::{Place, Pressure, Status, Table, ThreadKind, Work};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, thread};

use super::{
    Facts, ForeignCall, ForeignFuture, ForeignGuest, ForeignJob, Host, HostRef, handle, job, table,
};

/// A host that keeps futures, jobs and its guest until the test takes them.
#[derive(Default)]
struct Fake {
    futures: Mutex<Vec<ForeignFuture>>,
    jobs: Mutex<Vec<ForeignJob>>,
    guest: Mutex<Option<ForeignGuest>>,
    aborts: Arc<AtomicUsize>,
    calls: AtomicUsize,
}

impl Fake {
    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl Host for Fake {
    type Task = Arc<AtomicUsize>;

    fn table() -> &'static Table {
        static TABLE: Table = table::<Fake>();
        &TABLE
    }

    fn facts(&self) -> Facts<'_> {
        Facts { io_threads: 1, compute_threads: 2, compute_queue: 3, prefix: "fake", name: "guest" }
    }

    fn register(&self, guest: ForeignGuest) -> Status {
        *self.guest.lock().expect("not poisoned") = Some(guest);
        Status::DONE
    }

    fn unregister(&self) {
        drop(self.guest.lock().expect("not poisoned").take());
    }

    fn spawn(&self, future: ForeignFuture) -> Result<Arc<AtomicUsize>, Status> {
        let mut futures = self.futures.lock().expect("not poisoned");
        if futures.len() == 3 {
            return Err(Status::SHUT_DOWN);
        }
        futures.push(future);
        Ok(Arc::clone(&self.aborts))
    }

    fn abort(task: &Arc<AtomicUsize>) {
        task.fetch_add(1, Ordering::Relaxed);
    }

    fn block_on(&self, future: ForeignFuture) -> Status {
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(())) => return Status::DONE,
                Poll::Ready(Err(_)) => return Status::PANICKED,
                Poll::Pending => {}
            }
        }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + 'static {
        let mut polls = time.as_nanos();
        poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            polls = polls.saturating_sub(1);
            if polls == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    fn yield_now(&self) -> impl Future<Output = ()> + Send + 'static {
        assert!(self.calls.load(Ordering::Relaxed) < 100, "the test makes this call panic");
        async {}
    }

    fn block_in_place(&self, call: ForeignCall<'_>) -> Status {
        if self.calls.load(Ordering::Relaxed) > 0 {
            // A host that does not keep to the rules: it does not run the call.
            return Status::REFUSED;
        }
        call.run()
    }

    fn compute(&self, job: ForeignJob, _priority: u32) -> Status {
        self.jobs.lock().expect("not poisoned").push(job);
        Status::DONE
    }

    fn join(&self, a: ForeignCall<'_>, b: ForeignCall<'_>) -> Status {
        thread::scope(|scope| {
            let a = scope.spawn(|| a.run());
            let b = b.run();
            let a = a.join().expect("`run` catches panics");
            if a == Status::DONE { b } else { a }
        })
    }

    fn start_thread(&self, _kind: ThreadKind, _number: usize, body: ForeignJob) -> Status {
        drop(thread::spawn(|| body.run()));
        Status::DONE
    }

    fn place_thread(&self) {
        self.called();
    }

    fn here(&self) -> Place {
        panic!("this host cannot say");
    }

    fn begin(&self, _work: Work) -> Status {
        self.called();
        Status::DONE
    }

    fn end(&self, _work: Work, _how: Status) -> Status {
        self.called();
        Status::DONE
    }

    fn pressure(&self) -> Pressure {
        Pressure { ready: 1.5, arrivals: 2.5, pressure_level: 3, reserved: 0 }
    }
}

fn pair() -> (Arc<Fake>, HostRef) {
    let fake = Arc::new(Fake::default());
    let host = HostRef::of(handle(&fake)).expect("it is of this version");
    (fake, host)
}

/// Counts wakes, and panics in each where `panics` is set.
#[derive(Default)]
struct Counting {
    wakes: AtomicUsize,
    panics: bool,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a waker that panics");
    }
}

/// Adds one when it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_runtime_is_counted() {
    let (fake, host) = pair();
    assert_eq!(Arc::strong_count(&fake), 2);
    let facts = host.facts();
    assert_eq!((facts.io_threads, facts.compute_threads, facts.compute_queue), (1, 2, 3));
    assert_eq!((facts.prefix.as_str(), facts.name.as_str()), ("fake", "guest"));
    assert_eq!(host.compute_threads(), 2);
    let pressure = host.pressure();
    assert_eq!((pressure.ready.to_bits(), pressure.pressure_level), (1.5_f64.to_bits(), 3));
    host.place_thread();
    assert_eq!(host.begin(Work::TASK), Status::DONE);
    assert_eq!(host.end(Work::TASK, Status::DONE), Status::DONE);
    assert_eq!(fake.calls.load(Ordering::Relaxed), 3);
    drop(host);
    assert_eq!(Arc::strong_count(&fake), 1);
}

#[test]
fn what_a_host_throws_does_not_cross() {
    let (fake, host) = pair();
    assert_eq!(host.here(), Place::WORKER, "a host that cannot say: the caller must not wait");
    fake.calls.store(100, Ordering::Relaxed);
    let mut failed = host.yield_now();
    let polled = Pin::new(&mut failed).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

#[test]
fn a_task_is_polled_dropped_and_aborted_on_the_other_side() {
    let (fake, host) = pair();
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Counted(Arc::clone(&drops));
    let mut polls = 0;
    let task = host.spawn(async move {
        let _held = held;
        poll_fn(|_| {
            polls += 1;
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    let task = task.expect("it is taken");
    let mut future = fake.futures.lock().expect("not poisoned").pop().expect("it was spawned");
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
    assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Ready(Ok(())));
    let again = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut future).poll(&mut cx)));
    assert!(again.is_err(), "nothing is polled after its end");
    task.abort();
    task.abort();
    assert_eq!(fake.aborts.load(Ordering::Relaxed), 2);
    drop(task);
    assert_eq!(Arc::strong_count(&fake.aborts), 1);
    drop(future);
    assert_eq!(drops.load(Ordering::Relaxed), 1);

    // A refused future is dropped once.
    for _ in 0..3 {
        drop(host.spawn(pending()));
    }
    let held = Counted(Arc::clone(&drops));
    let refused = host.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    assert_eq!(refused.err(), Some(Status::SHUT_DOWN));
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_in_a_poll_or_in_a_drop_stays_where_it_was() {
    struct Throws;
    impl Drop for Throws {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let (fake, host) = pair();
    let polled = host.spawn(async { panic!("in a poll") }).map(drop);
    assert_eq!(polled, Ok(()));
    let throws = Throws;
    let dropped = host.spawn(async move {
        let _throws = throws;
        pending::<()>().await;
    });
    assert!(dropped.is_ok());
    let mut futures = std::mem::take(&mut *fake.futures.lock().expect("not poisoned"));
    let mut cx = Context::from_waker(Waker::noop());
    let unpolled = futures.pop().expect("it was spawned");
    let mut polled = futures.pop().expect("it was spawned");
    assert!(matches!(Pin::new(&mut polled).poll(&mut cx), Poll::Ready(Err(_))));
    drop(polled);
    drop(unpolled);
}

#[test]
fn block_on_lends_what_it_likes() {
    let (_fake, host) = pair();
    let mut borrowed = String::from("not ");
    let shared = std::rc::Rc::new(());
    let status = host.block_on(async {
        borrowed.push_str("static");
        host.sleep(Duration::from_nanos(3)).await.expect("it does not panic");
        drop(shared.clone());
    });
    assert_eq!((status, borrowed.as_str()), (Status::DONE, "not static"));
    let panicked = host.block_on(async { panic!("in block_on") });
    assert_eq!(panicked, Status::PANICKED);
}

#[test]
fn a_job_runs_once_or_is_dropped_once() {
    let (fake, host) = pair();
    let (runs, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..2 {
        let (runs, held) = (Arc::clone(&runs), Counted(Arc::clone(&drops)));
        let job = move || {
            let _held = held;
            runs.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(host.compute(job, 1), Status::DONE);
    }
    let mut jobs = std::mem::take(&mut *fake.jobs.lock().expect("not poisoned"));
    drop(jobs.pop());
    assert_eq!((runs.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(jobs.pop().map(ForeignJob::run), Some(Status::DONE));
    assert_eq!((runs.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (1, 2));
    host.compute(|| panic!("in a job"), 1);
    let job = fake.jobs.lock().expect("not poisoned").pop();
    assert_eq!(job.map(ForeignJob::run), Some(Status::PANICKED));
}

#[test]
fn a_call_gives_its_result_or_what_it_threw() {
    let (fake, host) = pair();
    let text = String::from("lent");
    let (status, result) = host.block_in_place(|| text.len());
    assert_eq!((status, result.and_then(Result::ok)), (Status::DONE, Some(4)));
    let (status, result) = host.block_in_place(|| panic!("in place"));
    let payload = result.map(|result: thread::Result<()>| result.expect_err("it panics"));
    assert_eq!(status, Status::PANICKED);
    assert_eq!(payload.and_then(|payload| payload.downcast_ref().copied()), Some("in place"));
    let (status, one, other) = host.join(|| text.len(), || -> u32 { panic!("in join") });
    assert_eq!(status, Status::PANICKED);
    assert_eq!(one.and_then(Result::ok), Some(4));
    assert!(other.is_some_and(|other| other.is_err()));
    // Where the host does not run the call, there is no result.
    fake.called();
    let (status, result) = host.block_in_place(|| text.len());
    assert!(status == Status::REFUSED && result.is_none());
    // A second run of the same call is refused.
    let mut runs = 0;
    let twice = job::lend(
        || runs += 1,
        |call| {
            // SAFETY: X6, the call is valid here; the second use is what this tests.
            let first = unsafe { ForeignCall::raise(call) }.run();
            // SAFETY: X6, as above.
            let second = unsafe { ForeignCall::raise(call) }.run();
            assert_eq!((first, second), (Status::DONE, Status::REFUSED));
            second
        },
    );
    assert!(twice.1.is_some());
    assert_eq!(runs, 1);
}

#[test]
fn a_guest_is_told_once_and_dropped_once() {
    let (fake, host) = pair();
    let leaves = Arc::new(AtomicUsize::new(0));
    let drops = Arc::new(AtomicUsize::new(0));
    let leave = {
        let (leaves, held) = (Arc::clone(&leaves), Counted(Arc::clone(&drops)));
        move || {
            let _held = &held;
            leaves.fetch_add(1, Ordering::Relaxed);
            panic!("a guest that panics");
        }
    };
    assert_eq!(host.register(leave), Status::DONE);
    let guest = fake.guest.lock().expect("not poisoned").take().expect("it has registered");
    guest.leave();
    assert_eq!((leaves.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (1, 1));
    let held = Counted(Arc::clone(&drops));
    let leave = move || {
        let _held = &held;
    };
    assert_eq!(host.register(leave), Status::DONE);
    host.unregister();
    host.unregister();
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}
