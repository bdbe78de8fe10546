//! For tests with a paused clock: time stands still while compute work is in flight.
//!
//! Tokio advances a paused clock when a current-thread runtime is idle, but not while a blocking
//! function runs. So while any compute call is in flight, a blocking function runs that only waits.
//! It ends with the runtime, or once the task that awaits the last call was woken. So time advances
//! only after that task has run.

#[cfg(feature = "test-util")]
pub(crate) use paused_time::{PauseGuard, PausedTime};

/// Only tests pause time.
#[cfg(not(feature = "test-util"))]
pub(crate) struct PauseGuard;

#[cfg(feature = "test-util")]
mod paused_time {
    use tokio::runtime::Handle;

    use crate::sync::{Arc, Condvar, Mutex, PoisonError};

    /// The paused time of one runtime.
    #[derive(Debug)]
    pub(crate) struct PausedTime {
        state: Mutex<State>,
        is_over: Condvar,
        tokio: Handle,
    }

    #[derive(Debug, Default)]
    struct State {
        /// Calls in flight.
        calls: usize,
        /// A blocking function waits until no call is in flight.
        is_waiting: bool,
        /// The runtime ends. Tokio then waits for blocking functions, so they have to end.
        is_over: bool,
    }

    impl PausedTime {
        pub(crate) fn new(tokio: Handle) -> Arc<Self> {
            Arc::new(Self { state: Mutex::default(), is_over: Condvar::new(), tokio })
        }

        fn begin(self: &Arc<Self>) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.calls += 1;
            if state.is_over || std::mem::replace(&mut state.is_waiting, true) {
                return;
            }
            drop(state);
            let time = Arc::clone(self);
            // Time stands still from here on, even before the thread has started.
            drop(self.tokio.spawn_blocking(move || time.wait()));
        }

        fn wait(&self) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            while state.calls > 0 && !state.is_over {
                state = self.is_over.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.is_waiting = false;
        }

        /// Ends the pause, since the runtime ends.
        pub(crate) fn release(&self) {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
            self.is_over.notify_all();
        }

        fn end(&self) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.calls -= 1;
            if state.calls == 0 {
                self.is_over.notify_all();
            }
        }
    }

    /// Stops paused time until it is dropped; has no effect where time is not paused.
    pub(crate) struct PauseGuard(Option<Arc<PausedTime>>);

    impl PauseGuard {
        pub(crate) fn of(time: Option<&Arc<PausedTime>>) -> Self {
            Self(time.cloned().inspect(PausedTime::begin))
        }
    }

    impl Drop for PauseGuard {
        fn drop(&mut self) {
            if let Some(time) = &self.0 {
                time.end();
            }
        }
    }
}
