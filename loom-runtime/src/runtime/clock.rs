//! The clock that a runtime drives for all its threads.

use std::future::poll_fn;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::sync::DriverWaker;
use crate::sync::{Arc, Parker, thread};
use crate::threads::{Timer, keeper};
use crate::time::{Clock, ClockDriver, InactiveClock};

use super::handle::LoomRuntime;

impl LoomRuntime {
    /// The clock of this runtime; any thread may use it.
    ///
    /// The first call starts a task on the I/O side that drives the clock. The task sleeps until
    /// the next timer. On Linux it uses a `timerfd`. Elsewhere, and where the system refuses a
    /// `timerfd`, it uses tokio's timers, which are rounded to a millisecond. A busy I/O side
    /// delays the task and so the timers.
    ///
    /// When the runtime ends, the clock ends, and its delays fail. On a current-thread runtime,
    /// timers fire only while a thread is inside [`block_on`](Self::block_on). Beside a given tokio
    /// runtime, a thread drives the clock until the last clone of the clock is dropped.
    ///
    /// Each local core has [a clock of its own](crate::local::LocalCore::clock), which no other
    /// thread can delay.
    ///
    /// # Panics
    ///
    /// If the clock needs a thread and the system refuses it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.inner.clock.get_or_init(|| self.start_clock())
    }

    fn start_clock(&self) -> Clock {
        let clock = InactiveClock::new_shared();
        if self.tokio_runtime_is_ours() {
            let driver_wake = Arc::<DriverWake>::default();
            let (clock, driver) =
                self.with_time_of_tokio(clock).activate_with(Waker::from(Arc::clone(&driver_wake)));
            let is_paused = self.inner.is_paused;
            // The task ends with tokio, and does not keep the runtime alive.
            drop(self.tokio_handle().spawn(drive(driver, driver_wake, is_paused)));
            return clock;
        }
        let started = keeper::order(StartClock(clock));
        match started.and_then(std::convert::identity) {
            Ok(clock) => clock,
            Err(error) => panic!(
                "the system refuses a thread for the clock ({error}): raise the limit on threads \
                 (`ulimit -u`), or call `clock` earlier"
            ),
        }
    }
}

/// Starts the thread of a clock.
struct StartClock(InactiveClock<crate::time::Shared>);

impl keeper::Order for StartClock {
    type Answer = std::io::Result<Clock>;

    fn carry_out(self) -> std::io::Result<Clock> {
        let (sender, receiver) = crate::sync::mpsc::channel();
        let body = move || drive_on_a_thread(self.0, &sender);
        thread::Builder::new().name("loom-clock".to_owned()).spawn(body)?;
        receiver.recv().map_err(std::io::Error::other)
    }
}

#[derive(Default)]
struct DriverWake(DriverWaker);

impl Wake for DriverWake {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

/// Fires timers, and sleeps between them, until all clones of the clock have been dropped.
async fn drive(mut driver: ClockDriver, driver_wake: Arc<DriverWake>, is_paused: bool) {
    let mut timer = timer(is_paused);
    poll_fn(|cx| turn(&mut driver, &mut timer, &driver_wake, is_paused, cx)).await;
}

fn turn(
    driver: &mut ClockDriver,
    timer: &mut Timer,
    driver_wake: &DriverWake,
    is_paused: bool,
    cx: &mut Context<'_>,
) -> Poll<()> {
    // First: a timer that is registered from now on wakes this task.
    if driver_wake.0.register(cx.waker()).is_err() {
        cx.waker().wake_by_ref();
    }
    let Ok(next) = driver.advance_timers(now(is_paused)) else { return Poll::Ready(()) };
    if timer.wake_at(next, cx).is_ready() {
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

fn drive_on_a_thread(
    clock: InactiveClock<crate::time::Shared>,
    started: &crate::sync::mpsc::Sender<Clock>,
) {
    let parker = Parker::new();
    let (clock, mut driver) = clock.activate_with(parker.waker());
    // The thread that called `clock` waits for it.
    let _ = started.send(clock);
    while let Ok(next) = driver.advance_timers(Instant::now()) {
        match next {
            Some(next) => parker.park_until(next),
            None => parker.park(),
        }
    }
}

#[cfg(feature = "test-util")]
fn timer(is_paused: bool) -> Timer {
    if is_paused { Timer::of_tokio() } else { Timer::new() }
}

#[cfg(not(feature = "test-util"))]
fn timer(_is_paused: bool) -> Timer {
    Timer::new()
}

/// The time on the I/O side, which a test may pause.
#[cfg(feature = "test-util")]
fn now(is_paused: bool) -> Instant {
    if is_paused { tokio::time::Instant::now().into_std() } else { Instant::now() }
}

#[cfg(not(feature = "test-util"))]
fn now(_is_paused: bool) -> Instant {
    Instant::now()
}

impl LoomRuntime {
    /// Makes the clock use tokio's time if that is paused.
    #[cfg(feature = "test-util")]
    fn with_time_of_tokio(
        &self,
        clock: InactiveClock<crate::time::Shared>,
    ) -> InactiveClock<crate::time::Shared> {
        if !self.inner.is_paused {
            return clock;
        }
        let tokio = self.tokio_handle().clone();
        clock.with_time(move || {
            // `tokio::time` uses the time of the runtime that the thread has entered.
            let _entered = tokio.enter();
            tokio::time::Instant::now().into_std()
        })
    }

    #[cfg(not(feature = "test-util"))]
    #[expect(clippy::unused_self, reason = "only tests pause time")]
    fn with_time_of_tokio(
        &self,
        clock: InactiveClock<crate::time::Shared>,
    ) -> InactiveClock<crate::time::Shared> {
        clock
    }

    fn tokio_runtime_is_ours(&self) -> bool {
        self.core().own_workers.get().is_some()
    }
}
