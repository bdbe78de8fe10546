//! A time that is waited for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, thread};

use super::keeper;
use super::short_wakers::ShortWaker;

/// Completes at a given time, even if tokio and its timers have ended.
///
/// If the system refuses the keeper its thread, nothing wakes the task: the alarm then completes
/// when it is polled after that time.
#[derive(Debug)]
pub(crate) struct Alarm {
    time: Instant,
    /// The waker that is called at that time.
    set_for: Option<Waker>,
    /// Calls a waker that the keeper must not wait for.
    thread: Option<AlarmThread>,
}

impl Alarm {
    pub(crate) fn at(time: Instant) -> Self {
        Self { time, set_for: None, thread: None }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.time <= Instant::now() {
            return Poll::Ready(());
        }
        if !self.set_for.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.set_for = Some(cx.waker().clone());
            self.thread = None;
            match ShortWaker::of(cx.waker()) {
                Some(waker) => drop(keeper::wake_at(self.time, waker)),
                None => self.thread = AlarmThread::start(self.time, cx.waker().clone()),
            }
        }
        Poll::Pending
    }
}

/// A thread that sleeps until a time, and ends when this is dropped.
struct AlarmThread {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl AlarmThread {
    /// `None` if the system refuses the thread.
    fn start(time: Instant, waker: Waker) -> Option<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let wake = {
            let is_over = Arc::clone(&is_over);
            move || {
                while let Some(left) = time.checked_duration_since(Instant::now()) {
                    // Relaxed: the unpark that follows the store orders it.
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    thread::park_timeout(left);
                }
                waker.wake();
            }
        };
        let thread = thread::Builder::new().name("loom-alarm".to_owned()).spawn(wake).ok()?;
        Some(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for AlarmThread {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the waker has been reported there.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for AlarmThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlarmThread").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sync::Parker;

    #[test]
    fn an_alarm_with_any_waker_ends_with_its_future() {
        let mut alarm = Alarm::at(Instant::now() + Duration::from_hours(1));
        let poll = Pin::new(&mut alarm).poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending() && alarm.thread.is_some());
        // The test would hang for an hour.
        drop(alarm);
    }

    #[test]
    fn an_alarm_wakes() {
        let parker = Parker::new();
        let waker = parker.waker();
        let mut alarm = Alarm::at(Instant::now() + Duration::from_millis(5));
        while Pin::new(&mut alarm).poll(&mut Context::from_waker(&waker)).is_pending() {
            parker.park();
        }
    }
}
