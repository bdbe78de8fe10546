//! A timer for one task: the system's where there is one, which is finer than tokio's millisecond.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// Wakes a task at a given time. It is made and used within tokio.
///
/// On Linux it is a `timerfd` that tokio's I/O driver watches, as exact as the kernel's own timers.
/// Elsewhere, and where the system refuses a `timerfd`, it is tokio's timer.
pub(crate) struct Timer {
    #[cfg(target_os = "linux")]
    exact: Option<exact::Exact>,
    coarse: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            exact: exact::Exact::new(),
            coarse: None,
        }
    }

    /// Tokio's own timer, for paused time.
    #[cfg(feature = "test-util")]
    pub(crate) fn of_tokio() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            exact: None,
            coarse: None,
        }
    }

    /// Wakes the task at `deadline`. Ready if that time has come, or if the timer fired for the
    /// deadline of an earlier call: so the caller reads the clock, and calls again if need be.
    pub(crate) fn wake_at(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        #[cfg(target_os = "linux")]
        if let Some(exact) = &mut self.exact {
            match exact.wake_at(deadline, cx) {
                Ok(poll) => return poll,
                // The system refuses the timer, so tokio's is used from now on.
                Err(_refused) => self.exact = None,
            }
        }
        let Some(deadline) = deadline else {
            self.coarse = None;
            return Poll::Pending;
        };
        let sleep = self.coarse.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        if sleep.deadline() != deadline.into() {
            sleep.as_mut().reset(deadline.into());
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(target_os = "linux")]
mod exact {
    use std::io;
    use std::os::fd::AsFd;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{AsyncRead, ReadBuf};
    use tokio::net::unix::pipe::Receiver;

    pub(super) struct Exact {
        /// A `timerfd`, which is read as a pipe: eight bytes once it has fired, and none before.
        /// Tokio's `AsyncFd` would do as well, but making one is unsafe.
        timer: Receiver,
        set_for: Option<Instant>,
    }

    impl Exact {
        /// `None` where the system refuses it.
        pub(super) fn new() -> Option<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            let timer = Receiver::from_owned_fd_unchecked(timer).ok()?;
            Some(Self { timer, set_for: None })
        }

        pub(super) fn wake_at(
            &mut self,
            deadline: Option<Instant>,
            cx: &mut Context<'_>,
        ) -> io::Result<Poll<()>> {
            if let Some(deadline) = deadline.filter(|_| deadline != self.set_for) {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(Poll::Ready(()));
                }
                self.set(left)?;
                self.set_for = Some(deadline);
            }
            let mut fired = [0; size_of::<u64>()];
            loop {
                let mut fired = ReadBuf::new(&mut fired);
                let Poll::Ready(read) = Pin::new(&mut self.timer).poll_read(cx, &mut fired) else {
                    return Ok(Poll::Pending);
                };
                read?;
                // It has to be set again. It may have fired for an earlier deadline, so the caller
                // reads the clock.
                self.set_for = None;
                if deadline.is_some() {
                    return Ok(Poll::Ready(()));
                }
            }
        }

        /// Sets the timer, and replaces an earlier setting.
        fn set(&self, left: Duration) -> io::Result<()> {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(left)
                    .unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }),
            };
            timerfd_settime(self.timer.as_fd(), TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }
    }
}
