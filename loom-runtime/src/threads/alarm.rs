//! A time that is waited for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::panics::{KeptWaker, drop_ignoring_panic};
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
    set_for: Option<KeptWaker>,
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
            // A clone may panic. So each is made before anything is changed: the waker before stays
            // set until then, and the next poll does not take this one for set.
            let set_for = KeptWaker::of(cx.waker());
            self.thread = match ShortWaker::of(cx.waker()) {
                Some(waker) => {
                    drop(keeper::wake_at(self.time, waker));
                    None
                }
                None => AlarmThread::start(self.time, KeptWaker::of(cx.waker())),
            };
            self.set_for = Some(set_for);
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
    fn start(time: Instant, waker: KeptWaker) -> Option<Self> {
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
            // The waker may drop the alarm that calls it. The thread then ends by itself.
            if thread.thread().id() == thread::current().id() {
                return;
            }
            thread.thread().unpark();
            // It has not panicked, and a payload would be dropped within this drop.
            drop_ignoring_panic(thread.join());
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
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::hostile::{ENDS, Hostile, Step, Wakes, caught, none_is_left, quietly};
    use crate::sync::atomic::AtomicUsize;
    use crate::sync::{Mutex, Parker, PoisonError, mpsc};

    #[test]
    fn an_alarm_with_any_waker_ends_with_its_future() {
        let mut alarm = Alarm::at(Instant::now() + Duration::from_secs(3600));
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

    fn hour() -> Alarm {
        Alarm::at(Instant::now() + Duration::from_secs(3600))
    }

    fn poll(alarm: &mut Alarm, waker: &Waker) -> Poll<()> {
        Pin::new(alarm).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_waker_whose_clone_panics_is_not_taken_for_set() {
        // The alarm clones its waker twice, and either may panic.
        for panics_in in 1..=2 {
            let hostile = Hostile::default();
            let waker = hostile.waker();
            let mut alarm = hour();
            let (_, before) = Wakes::new();
            assert!(poll(&mut alarm, &before).is_pending());
            let clones = AtomicUsize::new(0);
            hostile.on(&[Step::Clone], move || {
                let clone = clones.fetch_add(1, Ordering::Relaxed) + 1;
                assert!(clone != panics_in, "a clone that panics on purpose");
            });
            assert!(caught(|| poll(&mut alarm, &waker)).is_none());
            let is_set_for = |alarm: &Alarm, waker| {
                alarm.thread.is_some()
                    && alarm.set_for.as_ref().is_some_and(|set| set.will_wake(waker))
            };
            assert!(is_set_for(&alarm, &before), "as before");
            assert!(poll(&mut alarm, &waker).is_pending());
            assert!(is_set_for(&alarm, &waker));
            drop(alarm);
            none_is_left(&hostile, waker);
        }
    }

    #[test]
    fn a_waker_that_panics_harms_neither_who_polls_nor_who_drops() {
        let hostile = Hostile::default();
        let waker = hostile.waker();
        hostile.panics_on(&ENDS);
        let (sender, woken) = mpsc::channel();
        let mut alarm = Alarm::at(Instant::now() + Duration::from_millis(5));
        hostile.on(&[Step::Wake, Step::WakeByRef], move || {
            let _ = sender.send(());
            panic!("a wake that panics on purpose");
        });
        assert!(poll(&mut alarm, &waker).is_pending());
        woken.recv().expect("it is woken");
        quietly("a poll after the time", || assert!(poll(&mut alarm, Waker::noop()).is_ready()));
        quietly("a drop", || drop(alarm));
        let mut alarm = hour();
        assert!(poll(&mut alarm, &waker).is_pending());
        quietly("a poll with another waker", || {
            assert!(poll(&mut alarm, Waker::noop()).is_pending());
        });
        assert!(poll(&mut alarm, &waker).is_pending());
        let unwound = caught(move || {
            let _dropped_by_the_unwind = alarm;
            panic!("the only panic");
        });
        assert_eq!(unwound, None::<()>);
        none_is_left(&hostile, waker);
    }

    /// The thread that calls the waker would wait for itself.
    #[test]
    fn a_waker_may_drop_the_alarm_that_calls_it() {
        let hostile = Hostile::default();
        let waker = hostile.waker();
        let alarm = Arc::new(Mutex::new(None::<Alarm>));
        let (sender, dropped) = mpsc::channel();
        hostile.on(&[Step::Wake, Step::WakeByRef], {
            let alarm = Arc::clone(&alarm);
            move || {
                let alarm = alarm.lock().unwrap_or_else(PoisonError::into_inner).take();
                let _ = sender.send(caught(|| drop(alarm)));
            }
        });
        let mut set = Alarm::at(Instant::now() + Duration::from_millis(5));
        {
            let mut alarm = alarm.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(poll(&mut set, &waker).is_pending());
            *alarm = Some(set);
        }
        assert_eq!(dropped.recv(), Ok(Some(())), "no panic");
    }
}
