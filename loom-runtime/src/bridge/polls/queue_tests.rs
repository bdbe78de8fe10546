//! Polls that go through the queue itself: who is fetched for the poll of a future that wakes itself, and
//! when its task is woken.

use std::future::poll_fn;
use std::task::{Context, Poll, RawWakerVTable, Waker};

use super::super::complete::Job;
use super::super::outcome::{End, Queueing};
use super::super::{Drainer, Draining, Generation, Queue};
use super::{Handle, Host, waker_table};
use crate::scheduler::Wake;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, RwLock};

/// A queue for two drainers, and who was fetched for it.
struct Way {
    queue: Queue,
    fetched_by_submitters: AtomicUsize,
    /// Polls that no task asks for go to the task.
    goes_to_task: AtomicBool,
}

impl Way {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(2),
            fetched_by_submitters: AtomicUsize::new(0),
            goes_to_task: AtomicBool::new(false),
        })
    }

    /// A thread comes, and runs what there is. Returns how many drainers it has fetched.
    fn drain(&self, takes_long: bool) -> usize {
        let generation = self.queue.arrive(true).expect("a place is open");
        let mut drainer = Counting { fetched: 0, takes_long };
        self.queue.drain(generation, None, &mut drainer);
        drainer.fetched
    }
}

struct Counting {
    fetched: usize,
    /// Whether wakers may take any time.
    takes_long: bool,
}

impl Drainer for Counting {
    fn fetch(&mut self, _generation: Generation) {
        self.fetched += 1;
    }

    fn stays(&self) -> bool {
        true
    }

    fn is_short(&self, _waker: &Waker) -> bool {
        !self.takes_long
    }

    fn may_hold(&self) -> bool {
        false
    }

    fn between(&mut self, _draining: &Draining<'_>, _ran: u32, _is_searching: bool) {}

    fn lingers(&mut self, _draining: &Draining<'_>) -> bool {
        false
    }
}

struct OnQueue(Arc<Way>);

static TABLE: RawWakerVTable = waker_table::<OnQueue>();

impl Host for OnQueue {
    type Turn = ();
    type After = ();
    type Queue = Arc<Way>;

    fn table() -> &'static RawWakerVTable {
        &TABLE
    }

    fn wake() -> Wake {
        Wake::Thread
    }

    fn queue(&self) -> Arc<Way> {
        Arc::clone(&self.0)
    }

    fn place(&self, _turn: &mut (), _wake: Wake, is_awaited: bool) -> Option<Queueing> {
        let goes_to_task = is_awaited && self.0.goes_to_task.load(Ordering::Relaxed);
        (!goes_to_task).then(Queueing::default)
    }

    fn submit(way: Arc<Way>, job: &mut dyn FnMut() -> Option<Job>) {
        let reservation = way.queue.enter(usize::MAX).expect("no limit");
        let fetch = match job() {
            Some(job) => reservation.submit(job),
            None => reservation.withdraw(),
        };
        way.fetched_by_submitters.fetch_add(usize::from(fetch.is_some()), Ordering::Relaxed);
    }

    fn withdraw(&self, waits: bool) {
        if waits {
            self.0.queue.cancel();
        }
    }

    fn may_start(&self) -> bool {
        true
    }

    fn around(&self, _turn: &mut (), _wake: Wake, poll: &mut dyn FnMut()) {
        poll();
    }

    fn after(&self, _turn: &mut (), _end: Option<End>) {}

    fn end(self, _turn: (), _end: End, _unwanted: bool) {}
}

/// A future that wakes itself so many times, shared, and polled once by its task: its first poll is queued.
fn yields(way: &Arc<Way>, times: u32, task: &Waker) -> Handle<u32, OnQueue> {
    let mut polls = 0;
    let mut handle = Handle::new(poll_fn(move |cx| {
        polls += 1;
        if polls > times {
            return Poll::Ready(polls);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    handle.share(OnQueue(Arc::clone(way)), (), Wake::Begin);
    assert!(poll(&mut handle, task).is_pending());
    handle
}

/// The task sends its polls to the queue, unless it has the turn to itself.
fn poll(handle: &mut Handle<u32, OnQueue>, task: &Waker) -> Poll<Option<u32>> {
    let polled =
        handle.poll(&mut Context::from_waker(task), &mut |host: &OnQueue, _turn, _wake, poll| {
            if !host.0.goes_to_task.load(Ordering::Relaxed) {
                return Some(Queueing::default());
            }
            poll();
            None
        });
    polled.map(Result::ok)
}

/// A task that sees, when it is woken, how many drainers submitters rely on.
struct Task {
    way: Arc<Way>,
    searching: RwLock<Vec<usize>>,
}

impl std::task::Wake for Task {
    fn wake(self: Arc<Self>) {
        let searching = self.way.queue.searching();
        self.searching.write().unwrap_or_else(PoisonError::into_inner).push(searching);
    }
}

fn task(way: &Arc<Way>) -> (Arc<Task>, Waker) {
    let task = Arc::new(Task { way: Arc::clone(way), searching: RwLock::default() });
    let waker = Waker::from(Arc::clone(&task));
    (task, waker)
}

#[test]
fn the_drainer_that_polls_finds_the_next_poll_itself() {
    for takes_long in [false, true] {
        let way = Way::new();
        let (task, waker) = task(&way);
        let mut handle = yields(&way, 10, &waker);
        assert_eq!(way.drain(takes_long), 0);
        // One for the first poll; the place that it opened was taken.
        assert_eq!(way.fetched_by_submitters.load(Ordering::Relaxed), 1);
        assert_eq!(task.searching.read().expect("no panic").len(), 1, "at the end");
        assert_eq!(poll(&mut handle, &waker), Poll::Ready(Some(11)));
    }
}

/// A poll goes to the task, whose waker may take any time: no submitter relies on the drainer meanwhile.
#[test]
fn nobody_relies_on_a_drainer_that_wakes_for_long() {
    for takes_long in [false, true] {
        let way = Way::new();
        let (task, waker) = task(&way);
        let mut handle = yields(&way, 1, &waker);
        way.goes_to_task.store(true, Ordering::Relaxed);
        assert_eq!(way.drain(takes_long), 0);
        let searching = task.searching.read().expect("no panic").clone();
        assert_eq!(searching, [usize::from(!takes_long)]);
        assert_eq!(poll(&mut handle, &waker), Poll::Ready(Some(2)));
        assert_eq!(way.queue.waiting(), 0);
    }
}

/// The future is given up while its poll runs, and dropped by the drainer: nobody relies on it meanwhile.
#[test]
fn nobody_relies_on_a_drainer_that_drops_a_future() {
    struct Searching(Arc<Way>, Arc<AtomicUsize>);

    impl Drop for Searching {
        fn drop(&mut self) {
            self.1.store(self.0.queue.searching(), Ordering::Relaxed);
        }
    }

    let (way, searching) = (Way::new(), Arc::new(AtomicUsize::new(usize::MAX)));
    let handle = Arc::new(Mutex::new(None::<Handle<u32, OnQueue>>));
    let (dropped, own) = (Searching(Arc::clone(&way), Arc::clone(&searching)), Arc::clone(&handle));
    let mut shared = Handle::new(poll_fn(move |cx| {
        let _held = &dropped;
        cx.waker().wake_by_ref();
        drop(own.lock().expect("no panic").take());
        Poll::Pending
    }));
    shared.share(OnQueue(Arc::clone(&way)), (), Wake::Begin);
    assert!(poll(&mut shared, Waker::noop()).is_pending());
    shared.mark_awaited();
    *handle.lock().expect("no panic") = Some(shared);
    assert_eq!(way.drain(false), 0);
    assert_eq!(searching.load(Ordering::Relaxed), 0);
}
