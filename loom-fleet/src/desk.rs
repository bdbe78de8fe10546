//! A worker's side, whatever brings the calls: which functions it has, and how many calls it takes.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use loom::fleet::{Failure, FleetFunction, Refused, Response, functions};
use loom::{DeadlineExceeded, Priority, with_deadline};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::error::FleetConfigError;
use crate::spans::Propagator;

/// What becomes of a call. The result is in bytes of some kind.
#[derive(Debug)]
pub(crate) enum Answer<R = Vec<u8>> {
    Done { result: R, ran: Duration, waited: Duration },
    Refused(Refused),
    Panicked(String),
    Expired,
}

impl<R: AsRef<[u8]> + Send + 'static> Answer<R> {
    /// The answer as its caller sees it, who has waited for at most `limit`.
    pub(crate) fn seen_by_caller(self, limit: Duration) -> Result<Response, Failure> {
        match self {
            Self::Done { result, ran, waited } => Ok(Response::new(result, ran, waited)),
            Self::Refused(refused) => Err(Failure::Refused(refused)),
            Self::Panicked(message) => Err(Failure::Panicked(message)),
            Self::Expired => Err(Failure::Expired(limit)),
        }
    }
}

/// The calls of others that a worker has. It has every function of the program.
#[derive(Debug)]
pub(crate) struct Desk {
    most: usize,
    taken: AtomicUsize,
    /// The longest that a call may take, whatever its caller says.
    time_limit: Duration,
    propagator: Propagator,
    leaves: CancellationToken,
}

/// What a call says of itself.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) fingerprint: u64,
    /// How long its caller waits for it.
    pub(crate) left: Duration,
    /// What it tells of its caller's span.
    pub(crate) headers: HashMap<String, String>,
}

/// A place for one call.
struct Taken<'a>(&'a AtomicUsize);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    pub(crate) fn new(
        most: usize,
        time_limit: Duration,
        propagator: Propagator,
        leaves: CancellationToken,
    ) -> Result<Arc<Self>, FleetConfigError> {
        let mut names = HashSet::new();
        for function in functions() {
            let (name, version) = (function.name(), function.version());
            if !names.insert((name.clone(), version)) {
                return Err(FleetConfigError::Twice { name, version: version.to_owned() });
            }
        }
        Ok(Arc::new(Self { most, taken: AtomicUsize::new(0), time_limit, propagator, leaves }))
    }

    /// Completes when the runtime takes no more calls of others.
    pub(crate) async fn leaves(&self) {
        self.leaves.cancelled().await;
    }

    pub(crate) fn has_left(&self) -> bool {
        self.leaves.is_cancelled()
    }

    /// Takes a call, and runs it on the current runtime. Dropping the future drops the function's.
    pub(crate) async fn answer(
        &self,
        function: &'static FleetFunction,
        called: &Called,
        arguments: &[u8],
    ) -> Answer {
        let arrived = Instant::now();
        let taken = Taken(&self.taken);
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.most || self.has_left() {
            return Answer::Refused(Refused::Full);
        }
        if called.fingerprint != function.fingerprint() {
            let why = format!("`{}` has other types here", function.name());
            return Answer::Refused(Refused::Skew(why));
        }
        let expected = loom::current_runtime()
            .map_or(Duration::ZERO, |runtime| runtime.expected_queue_wait(Priority::Normal));
        // Reading the arguments runs code of the program, too.
        let call = async { Ok::<_, String>(function.serve(arguments)?.await) };
        let span = self.propagator.span(&function.name(), &called.headers);
        let call = AssertUnwindSafe(call).catch_unwind().instrument(span);
        let until = arrived + called.left.min(self.time_limit);
        let ended = with_deadline(until, call).await;
        drop(taken);
        let took = arrived.elapsed();
        let waited = expected.min(took);
        match ended {
            Ok(Ok(Ok(Ok(result)))) => {
                Answer::Done { result, ran: took.saturating_sub(waited), waited }
            }
            Ok(Ok(Ok(Err(why)))) => {
                Answer::Panicked(format!("the result cannot be written: {why}"))
            }
            Ok(Ok(Err(why))) => Answer::Refused(Refused::Skew(why)),
            Ok(Err(payload)) if payload.is::<DeadlineExceeded>() => {
                let error = payload.downcast_ref::<DeadlineExceeded>();
                // A shorter deadline within is the function's own.
                if Instant::now() >= until {
                    Answer::Expired
                } else {
                    Answer::Panicked(error.map(ToString::to_string).unwrap_or_default())
                }
            }
            Ok(Err(payload)) => Answer::Panicked(text_of(payload.as_ref())),
            Err(_) => Answer::Expired,
        }
    }
}

/// The most bytes of a panic's message that travel.
const MESSAGE: usize = 4096;

fn text_of(payload: &(dyn Any + Send)) -> String {
    let mut text = whole_text_of(payload);
    let end = (0..=MESSAGE).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

fn whole_text_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
