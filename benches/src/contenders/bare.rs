//! The least that any bridge costs: a task asks, and another thread wakes it.
//!
//! No closure is moved, calls are not counted and can neither be cancelled nor panic, and the
//! answering thread never sleeps. The caller runs its closure itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use crossbeam_queue::ArrayQueue;
use loom::{ComputeHint, LoomRuntime};
use tokio::runtime::{Handle, Runtime};

use super::contender::Contender;
use super::ours::{loom_runtime, split_runtime};
use super::peers::tokio_runtime;

/// How many tasks may ask at the same time.
const SEATS: usize = 1024;
/// How often the answering thread checks for requests before it yields its CPU.
const LOOKS: u32 = 64;

pub(super) struct Bare {
    tokio: Handle,
    desk: Arc<Desk>,
    _threads: Threads,
}

#[expect(dead_code, reason = "kept for their threads")]
enum Threads {
    Tokio(Runtime),
    Loom(LoomRuntime),
}

/// The place where tasks ask. Each uses a seat of its own.
struct Desk {
    seats: [Seat; SEATS],
    free: ArrayQueue<usize>,
    asked: ArrayQueue<usize>,
    is_closed: AtomicBool,
}

/// Aligned to two cache lines, since prefetching moves lines in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Seat {
    waker: Mutex<Option<Waker>>,
    is_answered: AtomicBool,
}

thread_local! {
    /// Seats that tasks of this thread have used before.
    static FREE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Bare {
    /// Between a plain tokio runtime and a thread of normal priority.
    pub(super) fn beside_tokio() -> Self {
        let tokio = tokio_runtime(2);
        let desk = Desk::open();
        let answering = Arc::clone(&desk);
        thread::spawn(move || answering.answer());
        Self { tokio: tokio.handle().clone(), desk, _threads: Threads::Tokio(tokio) }
    }

    /// Between Loom's own threads, with the default placement.
    pub(super) fn within_loom() -> Self {
        Self::within(loom_runtime())
    }

    /// Between Loom's own threads, on CPUs of their own.
    pub(super) fn within_split_loom() -> Self {
        Self::within(split_runtime())
    }

    fn within(loom: LoomRuntime) -> Self {
        let desk = Desk::open();
        let answering = Arc::clone(&desk);
        loom.rayon_pool().spawn(move || answering.answer());
        Self { tokio: loom.tokio_handle().clone(), desk, _threads: Threads::Loom(loom) }
    }
}

impl Desk {
    fn open() -> Arc<Self> {
        let free = ArrayQueue::new(SEATS);
        (0..SEATS).for_each(|seat| free.push(seat).expect("there is room for all"));
        Arc::new(Self {
            seats: std::array::from_fn(|_| Seat::default()),
            free,
            asked: ArrayQueue::new(SEATS),
            is_closed: AtomicBool::new(false),
        })
    }

    fn answer(&self) {
        while !self.is_closed.load(Ordering::Relaxed) {
            for _ in 0..LOOKS {
                if let Some(seat) = self.asked.pop() {
                    let seat = &self.seats[seat];
                    let waker = seat.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
                    seat.is_answered.store(true, Ordering::Release);
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                } else {
                    spin_loop();
                }
            }
            thread::yield_now();
        }
    }

    async fn ask(&self) {
        let own = FREE.with_borrow_mut(Vec::pop).or_else(|| self.free.pop());
        let own = own.expect("there are fewer tasks");
        let seat = &self.seats[own];
        seat.is_answered.store(false, Ordering::Relaxed);
        let mut has_asked = false;
        poll_fn(|cx| {
            if !has_asked {
                has_asked = true;
                let waker = Some(cx.waker().clone());
                *seat.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
                self.asked.push(own).expect("there is room for all");
                Poll::Pending
            } else if seat.is_answered.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        FREE.with_borrow_mut(|free| free.push(own));
    }
}

impl Contender for Bare {
    fn tokio(&self) -> Handle {
        self.tokio.clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.desk.ask().await;
        f()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.desk.is_closed.store(true, Ordering::Relaxed);
    }
}
