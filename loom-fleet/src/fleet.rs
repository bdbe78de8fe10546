//! The settings of a fleet, and how a runtime joins it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loom::LoomRuntime;
use loom::fleet::{Membership, Transport};
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::error::FleetConfigError;
use crate::hub::Hub;
#[cfg(feature = "nats")]
use crate::nats;

const TIME_LIMIT: Duration = Duration::from_secs(30);
const LOST_AFTER: Duration = Duration::from_secs(1);
/// So many calls of others a worker has for each compute thread, one that runs and one that waits.
const CALLS_PER_THREAD: usize = 2;

/// A fleet and the runtime's part in it, for [`LoomBuilder::fleet`](loom::LoomBuilder::fleet).
///
/// A member is a *caller*, whose calls may run elsewhere, unless [`worker`](Self::worker) or
/// [`only_worker`](Self::only_worker) says otherwise.
#[derive(Clone)]
pub struct Fleet {
    via: Via,
    pub(crate) name: String,
    is_caller: bool,
    is_worker: bool,
    pub(crate) is_preferred: bool,
    most_calls: Option<usize>,
    pub(crate) time_limit: Duration,
    pub(crate) lost_after: Duration,
}

#[derive(Clone)]
enum Via {
    #[cfg(feature = "nats")]
    // In a box, since the options are large.
    Nats(Box<nats::Server>),
    Hub(Hub),
}

impl Fleet {
    /// A fleet over a NATS server: `nats://host:4222`, several separated by commas, `tls://…`, with a user and a
    /// password as `nats://user:password@host`.
    ///
    /// A server that is away is no error: it is tried again and again, and calls stay here meanwhile.
    #[cfg(feature = "nats")]
    #[must_use]
    pub fn nats(url: impl Into<String>) -> Self {
        Self::nats_with(url, async_nats::ConnectOptions::new())
    }

    /// [`nats`](Self::nats) with the options of `async-nats`: credentials, keys, certificates, names.
    #[cfg(feature = "nats")]
    #[must_use]
    pub fn nats_with(url: impl Into<String>, options: async_nats::ConnectOptions) -> Self {
        Self::via(Via::Nats(Box::new(nats::Server { url: url.into(), options })))
    }

    /// A fleet within this process, for tests and for trying it out: its members are runtimes.
    #[must_use]
    pub fn hub(hub: &Hub) -> Self {
        Self::via(Via::Hub(hub.clone()))
    }

    fn via(via: Via) -> Self {
        Self {
            via,
            name: "default".to_owned(),
            is_caller: true,
            is_worker: false,
            is_preferred: false,
            most_calls: None,
            time_limit: TIME_LIMIT,
            lost_after: LOST_AFTER,
        }
    }

    /// The name, `default` if there is none: members of fleets with different names do not see each other.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The runtime is a caller and a worker: it runs calls of others, too.
    #[must_use]
    pub fn worker(mut self) -> Self {
        (self.is_worker, self.is_caller) = (true, true);
        self
    }

    /// The runtime is a worker, and sends no calls of its own.
    #[must_use]
    pub fn only_worker(mut self) -> Self {
        (self.is_worker, self.is_caller) = (true, false);
        self
    }

    /// Calls that would go to the compute pool go to the fleet wherever it takes them, whatever they cost there:
    /// for a front end that computes as little as it can.
    #[must_use]
    pub fn preferred(mut self) -> Self {
        self.is_preferred = true;
        self
    }

    /// How many calls of others a worker has at a time, 1 to 65536; the default is twice its compute threads. It
    /// refuses further ones at once, and they run where they were made.
    #[must_use]
    pub fn most_calls(mut self, calls: usize) -> Self {
        self.most_calls = Some(calls);
        self
    }

    /// How long a far call may take until it ends with `FleetError::Expired`, 10 ms to 24 h; default 30 s.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How long a worker that has a call may be silent until the call is lost, 10 ms to 24 h; default 1 s, and at
    /// most half of the time limit. Four signs of life are sent in that time.
    #[must_use]
    pub fn lost_after(mut self, silence: Duration) -> Self {
        self.lost_after = silence;
        self
    }

    fn check(&self) -> Result<(), FleetConfigError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            return Err(FleetConfigError::Name(self.name.clone()));
        }
        if let Some(calls) = self.most_calls.filter(|calls| !(1..=65536).contains(calls)) {
            return Err(FleetConfigError::MostCalls(calls));
        }
        let allowed = Duration::from_millis(10)..=Duration::from_hours(24);
        for (name, time) in [("time_limit", self.time_limit), ("lost_after", self.lost_after)] {
            if !allowed.contains(&time) {
                return Err(FleetConfigError::Time(name, time));
            }
        }
        Ok(())
    }
}

impl Fleet {
    /// How long a silence may be.
    #[cfg(feature = "nats")]
    pub(crate) fn silence(&self) -> Duration {
        self.lost_after.min(self.time_limit / 2)
    }
}

impl Membership for Fleet {
    fn join(
        &self,
        runtime: &LoomRuntime,
        leaves: CancellationToken,
    ) -> Result<Option<Arc<dyn Transport>>, Box<dyn Error + Send + Sync>> {
        self.check()?;
        let most = self.most_calls.unwrap_or(CALLS_PER_THREAD * runtime.rayon_threads());
        let desk = Desk::new(most, self.time_limit, leaves)?;
        let desk = self.is_worker.then_some(desk);
        let transport = match &self.via {
            #[cfg(feature = "nats")]
            Via::Nats(server) => nats::join(server, self, runtime, desk)?,
            Via::Hub(hub) => hub.join(self, runtime, desk),
        };
        Ok(self.is_caller.then_some(transport))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Fleet");
        match &self.via {
            #[cfg(feature = "nats")]
            Via::Nats(server) => debug.field("nats", &server.shown()),
            Via::Hub(_) => debug.field("hub", &"in this process"),
        };
        debug
            .field("name", &self.name)
            .field("is_caller", &self.is_caller)
            .field("is_worker", &self.is_worker)
            .field("is_preferred", &self.is_preferred)
            .field("most_calls", &self.most_calls)
            .field("time_limit", &self.time_limit)
            .field("lost_after", &self.lost_after)
            .finish()
    }
}
