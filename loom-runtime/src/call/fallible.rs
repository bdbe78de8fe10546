//! The `try_` forms: compute work that returns its failure as an error value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::bridge::Fault;
use crate::core::Refusal;
use crate::panics::drop_ignoring_panic;
use crate::sync::{Mutex, PoisonError, thread};

use super::compute::{NeverRan, Offloaded};
use super::deadline::DeadlineExceeded;
use super::turn::use_up;

/// Why compute work has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ComputeError {
    /// The work panicked.
    Panicked(ComputePanic),
    /// The queue is full: `compute_queue` calls wait already. Try later, or shed load.
    QueueFull {
        /// How many calls may wait.
        limit: usize,
    },
    /// As many calls of the function run as may (`max_concurrent`). Try later, or shed load.
    AtLimit {
        /// How many may run at a time.
        limit: usize,
    },
    /// The call had no time left before its deadline.
    Exceeded(DeadlineExceeded),
    /// The runtime takes no new work, or it was ended before the work could start.
    ShutDown,
    /// There are no threads to run the work: the system refused them, or the process was forked.
    NoThreads,
}

impl ComputeError {
    /// The panic payload, if the work panicked.
    ///
    /// ```
    /// # #[loom::main]
    /// # async fn main() {
    /// let failed = loom::try_spawn_compute(|| -> () { panic!("out of ink") }).await;
    /// let payload = failed.unwrap_err().into_panic().expect("it panicked");
    /// assert_eq!(payload.downcast_ref(), Some(&"out of ink"));
    /// # }
    /// ```
    #[must_use]
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        match self {
            Self::Panicked(panic) => panic.into_payload(),
            _ => None,
        }
    }
}

#[cfg(feature = "plugin")]
impl ComputeError {
    pub(crate) fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        Fault::Panicked(payload).into()
    }
}

impl fmt::Display for ComputeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "compute work panicked{panic}"),
            Self::QueueFull { limit } => write!(
                f,
                "{limit} compute calls wait already: try later, shed load, or raise \
                 `compute_queue`"
            ),
            Self::AtLimit { limit } => Refusal::AtLimit(*limit).fmt(f),
            Self::Exceeded(error) => error.fmt(f),
            Self::ShutDown => Refusal::ShutDown.fmt(f),
            Self::NoThreads => Refusal::NoPool.fmt(f),
        }
    }
}

impl Error for ComputeError {}

impl From<Refusal> for ComputeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ShutDown => Self::ShutDown,
            Refusal::QueueFull(limit) => Self::QueueFull { limit },
            Refusal::AtLimit(limit) => Self::AtLimit { limit },
            Refusal::NoPool | Refusal::Forked => Self::NoThreads,
        }
    }
}

impl From<Fault> for ComputeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Panicked(payload) => Self::Panicked(ComputePanic(Mutex::new(Some(payload)))),
            Fault::Refused => Self::ShutDown,
        }
    }
}

/// The panic payload of compute work.
///
/// The payload is in a lock, so that the error that contains it is `Sync`, as other errors are.
pub struct ComputePanic(Mutex<Option<Box<dyn Any + Send>>>);

impl ComputePanic {
    fn into_payload(mut self) -> Option<Box<dyn Any + Send>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for ComputePanic {
    fn drop(&mut self) {
        // Errors are dropped in code that expects no panic, and the payload's drop may panic.
        drop_ignoring_panic(self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl ComputePanic {
    /// Calls `f` with the panic message, if the payload is a text.
    fn with_message<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f(payload.as_deref().and_then(|payload| {
            let text = payload.downcast_ref::<&str>().copied();
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        }))
    }
}

/// Writes `: ` and the panic message, if the payload is a text.
impl fmt::Display for ComputePanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_message(|message| message.map_or(Ok(()), |message| write!(f, ": {message}")))
    }
}

impl fmt::Debug for ComputePanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_message(|message| match message {
            Some(message) => f.debug_tuple("ComputePanic").field(&message).finish(),
            None => f.debug_tuple("ComputePanic").finish_non_exhaustive(),
        })
    }
}

const POLLED_AGAIN: &str = "a compute call was polled after it had completed";

/// Work on the compute pool, as a future of its result or an error.
///
/// Where [`ComputeFuture`](crate::ComputeFuture) panics, this returns an error. Refused work is
/// dropped before this exists, and the first poll returns the refusal.
#[must_use = "the work runs, but its result is lost; await it, or say `.detach()`"]
pub struct TryComputeFuture<R>(State<R>);

enum State<R> {
    Submitted(Offloaded<R>),
    /// The call ran inline: its result, `None` once it was taken; and the budget steps that the
    /// call has to use up.
    Ended(Option<thread::Result<R>>, u32),
    /// The refusal, `None` once it was taken.
    Refused(Option<Refusal>),
}

impl<R> TryComputeFuture<R> {
    pub(crate) fn new(submitted: Result<Offloaded<R>, Refusal>) -> Self {
        Self(match submitted {
            Ok(call) => State::Submitted(call),
            Err(refusal) => State::Refused(Some(refusal)),
        })
    }

    pub(crate) fn ended(result: thread::Result<R>, turn: u32) -> Self {
        Self(State::Ended(Some(result), turn))
    }

    /// Lets the work run to its end, and drops its result.
    ///
    /// # Errors
    ///
    /// The refusal, if the work was refused.
    pub fn detach(self) -> Result<(), ComputeError> {
        match self.0 {
            State::Submitted(call) => {
                call.detach();
                Ok(())
            }
            State::Ended(..) => Ok(()),
            State::Refused(refusal) => refusal.map_or(Ok(()), |refusal| Err(refusal.into())),
        }
    }
}

/// A result is only moved out, never pinned.
impl<R> Unpin for TryComputeFuture<R> {}

impl<R> Future for TryComputeFuture<R> {
    type Output = Result<R, ComputeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Submitted(call) => {
                let outcome = ready!(call.poll(cx));
                Poll::Ready(outcome.map_err(|fault| match (fault, call.refusal()) {
                    (Fault::Refused, NeverRan::Exceeded(error)) => ComputeError::Exceeded(error),
                    (fault, _) => fault.into(),
                }))
            }
            State::Ended(result, turn) => {
                if *turn > 0 {
                    ready!(use_up(turn, cx));
                }
                let Some(result) = result.take() else { panic!("{POLLED_AGAIN}") };
                Poll::Ready(result.map_err(|payload| Fault::Panicked(payload).into()))
            }
            State::Refused(refusal) => match refusal.take() {
                Some(refusal) => Poll::Ready(Err(refusal.into())),
                None => panic!("{POLLED_AGAIN}"),
            },
        }
    }
}

impl<R> fmt::Debug for TryComputeFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryComputeFuture").finish_non_exhaustive()
    }
}
