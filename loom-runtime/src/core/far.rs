//! The arm that is another process: what a runtime knows of it, and what it asks.
//!
//! Nothing here knows how calls travel; a transport does.

use std::error::Error;
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A way to other processes that run the same functions.
///
/// The package `loom-runtime-fleet` has one over NATS, and one within a process.
pub trait Transport: Debug + Send + Sync + 'static {
    /// How many bytes the arguments of a call may have. A call with more stays where it was made. Without a
    /// connection, `usize::MAX`.
    fn limit(&self) -> usize;

    /// Whether calls go to the fleet wherever it takes them, also where the compute pool would be faster.
    fn is_preferred(&self) -> bool {
        false
    }

    /// Sends a call, and waits for its result. Dropping the future gives the call up.
    ///
    /// The future ends within a bounded time, whatever happens to the other process: nothing else here has
    /// a time limit.
    fn call(&self, request: Request) -> Calling;
}

/// A call that is under way.
pub type Calling = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// A call as it travels.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// The function.
    pub function: &'static FleetFunction,
    /// Its arguments, encoded, and the task-locals that it takes along.
    pub arguments: Vec<u8>,
    /// When nobody wants the result any more, if that is known.
    pub deadline: Option<Instant>,
}

impl Request {
    pub(crate) fn new(
        function: &'static FleetFunction,
        arguments: Vec<u8>,
        deadline: Option<Instant>,
    ) -> Self {
        Self { function, arguments, deadline }
    }

    /// How much time is left, at most `limit`.
    #[must_use]
    pub fn time_left(&self, limit: Duration) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.deadline.map_or(limit, |at| left(at).min(limit))
    }
}

/// The answer to a call.
#[non_exhaustive]
pub struct Response {
    /// The result, encoded.
    pub result: Box<dyn AsRef<[u8]> + Send>,
    /// How long the call ran there.
    pub ran: Duration,
    /// How long it waited there until it could run.
    pub waited: Duration,
}

impl Response {
    /// An answer.
    #[must_use]
    pub fn new(result: impl AsRef<[u8]> + Send + 'static, ran: Duration, waited: Duration) -> Self {
        Self { result: Box::new(result), ran, waited }
    }
}

impl Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = (*self.result).as_ref().len();
        f.debug_struct("Response")
            .field("bytes", &bytes)
            .field("ran", &self.ran)
            .field("waited", &self.waited)
            .finish()
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It has not run, and does not run any more: it may run elsewhere.
    Refused(Refused),
    /// It may have run, or may run still: the process that had it is gone, or does not answer.
    Lost(String),
    /// It did not end in the time that the transport allows. It may have run.
    Expired(Duration),
    /// It panicked, with this message.
    Panicked(String),
}

/// Why a call was not run elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// No process serves the function in this version.
    NoWorker,
    /// The process that got it has as many calls as it takes.
    Full,
    /// The process that got it has another signature of the function, or cannot read the arguments.
    Skew(String),
    /// There is no connection.
    Away,
    /// The arguments or the result are too large for the transport.
    TooLarge {
        /// How many bytes they have.
        bytes: usize,
        /// How many they may have.
        limit: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorker => f.write_str("no worker serves this version of the function"),
            Self::Full => f.write_str("the worker has as many calls as it takes"),
            Self::Skew(why) => write!(f, "the worker has another build of the function: {why}"),
            Self::Away => f.write_str("there is no connection to the fleet"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "{bytes} bytes are too large for a message, which may have {limit}")
            }
        }
    }
}

/// A call of a function that runs on the fleet, as a future of its encoded result. The error says why the
/// result cannot be encoded.
pub type Serving = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Begins a call from its encoded arguments. The error says why they cannot be read.
pub(crate) type Serve = fn(&[u8]) -> Result<Serving, String>;

/// Writes what comes before the arguments of a call. The error says why it cannot be written.
pub(crate) type Along = fn() -> Result<Vec<u8>, String>;

/// A function of this program whose calls may run on the fleet: one with `#[loom::compute(fleet)]`.
pub struct FleetFunction {
    module: &'static str,
    item: &'static str,
    /// The name that `key = "…"` gives in place of the path.
    given: Option<&'static str>,
    version: &'static str,
    /// The types of arguments and result, as they are written.
    signature: &'static str,
    is_idempotent: bool,
    /// Writes what comes before the arguments.
    along: Option<Along>,
    serve: Serve,
}

impl FleetFunction {
    /// A function, as its attribute describes it.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        (module, item, given): (&'static str, &'static str, Option<&'static str>),
        version: &'static str,
        signature: &'static str,
        is_idempotent: bool,
        serve: Serve,
    ) -> Self {
        Self { module, item, given, version, signature, is_idempotent, along: None, serve }
    }

    /// A function whose calls take task-locals along, which `along` writes.
    #[doc(hidden)]
    #[must_use]
    pub const fn taking_along(mut self, along: Along) -> Self {
        self.along = Some(along);
        self
    }

    /// What comes before the arguments of a call of the current task.
    pub(crate) fn begin_message(&self) -> Result<Vec<u8>, String> {
        self.along.map_or_else(|| Ok(Vec::new()), |along| along())
    }

    /// The function's `key`, or else its path. The path is the same in each build of a program, as long as
    /// the function is not moved or renamed.
    #[must_use]
    pub fn name(&self) -> String {
        self.given.map_or_else(|| format!("{}::{}", self.module, self.item), str::to_owned)
    }

    /// The version that the attribute gives, as `fleet = "2"`; otherwise `1`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// A number that changes with the types of arguments and result as they are written. It does not see
    /// what the types consist of: a type that changes needs a new version.
    ///
    /// The hash is FNV-1a (Fowler, Noll, Vo) of 64 bits.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.signature.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Whether a call may be run again where it is not known whether it has run.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }

    /// Begins a call that came from another process: [`Request::arguments`]. The function is placed here as any other, and does not
    /// go to the fleet again.
    ///
    /// # Errors
    ///
    /// Why the arguments cannot be read. Nothing has run then.
    ///
    /// # Panics
    ///
    /// The future panics where the function does.
    pub fn serve(&self, arguments: &[u8]) -> Result<Serving, String> {
        (self.serve)(arguments)
    }
}

impl Debug for FleetFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetFunction")
            .field("name", &self.name())
            .field("version", &self.version)
            .field("signature", &self.signature)
            .field("is_idempotent", &self.is_idempotent)
            .finish_non_exhaustive()
    }
}

/// Why a call that went to another process has no result.
///
/// The call raises it as a panic, since a function's own type has no room for it;
/// [`attempt`](crate::fleet::attempt) makes a value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// Its process is gone, or does not answer: the call may have run, or not.
    Lost {
        /// The function.
        function: String,
        /// What was seen.
        why: String,
    },
    /// It did not end in time. It may have run.
    Expired {
        /// The function.
        function: String,
        /// The time that it had.
        after: Duration,
    },
    /// It panicked, here or there, with this message.
    Panicked(String),
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { function, why } => write!(
                f,
                "a call of `{function}` was lost: {why}; it may have run, so say `idempotent` in its \
                 attribute if it may run twice"
            ),
            Self::Expired { function, after } => {
                write!(f, "a call of `{function}` did not end within {after:?}; it may have run")
            }
            Self::Panicked(message) => write!(f, "the call panicked: {message}"),
        }
    }
}

impl Error for FleetError {}
