//! The settings of a fleet, and how a runtime joins it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loom::LoomRuntime;
use loom::fleet::{FleetRole, FleetSettings, Membership, Transport};
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::hub::Hub;
#[cfg(feature = "nats")]
use crate::nats;
use crate::spans::{Propagate, Propagator};

const TIME_LIMIT: Duration = Duration::from_secs(30);
#[cfg(feature = "nats")]
const LOST_AFTER: Duration = Duration::from_secs(1);
/// So many calls of others a worker has for each compute thread, one that runs and one that waits.
const CALLS_PER_THREAD: usize = 2;

/// A fleet and the runtime's part in it, for [`LoomBuilder::fleet`](loom::LoomBuilder::fleet).
///
/// A member is a *caller*, whose calls may run elsewhere, unless [`worker`](Self::worker) or
/// [`only_worker`](Self::only_worker) says otherwise.
///
/// What is said here is overruled by the builder's other sources: [`FleetSettings`] names the keys of files, the
/// variables and the arguments.
#[derive(Clone)]
pub struct Fleet {
    via: Via,
    settings: FleetSettings,
    propagator: Propagator,
}

#[derive(Clone)]
enum Via {
    #[cfg(feature = "nats")]
    // In a box, since the options are large.
    Nats(Box<async_nats::ConnectOptions>),
    Hub(Hub),
}

/// A member as all sources describe it.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) is_preferred: bool,
    pub(crate) time_limit: Duration,
    #[cfg(feature = "nats")]
    pub(crate) lost_after: Duration,
    pub(crate) propagator: Propagator,
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
        let mut fleet = Self::via(Via::Nats(Box::new(options)));
        fleet.settings.url = Some(url.into());
        fleet
    }

    /// A fleet over NATS if a file, a variable or an argument names its server; otherwise the program joins none.
    ///
    /// ```
    /// // `SHOP_FLEET_URL=nats://broker:4222 SHOP_FLEET_ROLE=worker`
    /// let builder = loom::LoomBuilder::new().env_prefix("SHOP");
    /// let runtime = builder.fleet(loom_fleet::Fleet::from_settings()).build()?;
    /// assert_eq!(runtime.config().fleet.url, None);
    /// # Ok::<(), loom::LoomError>(())
    /// ```
    #[cfg(feature = "nats")]
    #[must_use]
    pub fn from_settings() -> Self {
        Self::via(Via::Nats(Box::default()))
    }

    /// A fleet within this process, for tests and for trying it out: its members are runtimes.
    #[must_use]
    pub fn hub(hub: &Hub) -> Self {
        Self::via(Via::Hub(hub.clone()))
    }

    fn via(via: Via) -> Self {
        Self { via, settings: FleetSettings::default(), propagator: Propagator::default() }
    }

    /// The name, `default` if there is none: members of fleets with different names do not see each other.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// The runtime is a caller and a worker: it runs calls of others, too.
    #[must_use]
    pub fn worker(mut self) -> Self {
        self.settings.role = Some(FleetRole::Worker);
        self
    }

    /// The runtime is a worker, and sends no calls of its own.
    #[must_use]
    pub fn only_worker(mut self) -> Self {
        self.settings.role = Some(FleetRole::OnlyWorker);
        self
    }

    /// Calls that would go to the compute pool go to the fleet wherever it takes them, whatever they cost there:
    /// for a front end that computes as little as it can.
    #[must_use]
    pub fn preferred(mut self) -> Self {
        self.settings.preferred = Some(true);
        self
    }

    /// How many calls of others a worker has at a time, 1 to 65536; the default is twice its compute threads. It
    /// refuses further ones at once, and they run where they were made.
    #[must_use]
    pub fn most_calls(mut self, calls: usize) -> Self {
        self.settings.most_calls = Some(calls);
        self
    }

    /// How long a far call may take until it ends with `FleetError::Expired`, 10 ms to 24 h; default 30 s.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.settings.time_limit = Some(limit);
        self
    }

    /// How long a worker that has a call may be silent until the call is lost, 10 ms to 24 h; default 1 s, and at
    /// most half of the time limit. Four signs of life are sent in that time.
    #[must_use]
    pub fn lost_after(mut self, silence: Duration) -> Self {
        self.settings.lost_after = Some(silence);
        self
    }

    /// Takes the caller's span along with each call, and puts a call of others into it.
    #[must_use]
    pub fn propagate(mut self, propagate: impl Propagate) -> Self {
        self.propagator = Propagator::new(propagate);
        self
    }
}

impl Member {
    fn of(settings: &FleetSettings, propagator: Propagator) -> Self {
        Self {
            name: settings.name.clone().unwrap_or_else(|| "default".to_owned()),
            is_preferred: settings.preferred.unwrap_or_default(),
            time_limit: settings.time_limit.unwrap_or(TIME_LIMIT),
            #[cfg(feature = "nats")]
            lost_after: settings.lost_after.unwrap_or(LOST_AFTER),
            propagator,
        }
    }

    /// How long a silence may be.
    #[cfg(feature = "nats")]
    pub(crate) fn silence(&self) -> Duration {
        self.lost_after.min(self.time_limit / 2)
    }
}

impl Membership for Fleet {
    fn settings(&self) -> FleetSettings {
        self.settings.clone()
    }

    fn join(
        &self,
        runtime: &LoomRuntime,
        leaves: CancellationToken,
    ) -> Result<Option<Arc<dyn Transport>>, Box<dyn Error + Send + Sync>> {
        let settings = &runtime.config().fleet;
        let member = Member::of(settings, self.propagator.clone());
        let role = settings.role.unwrap_or_default();
        let most = settings.most_calls.unwrap_or(CALLS_PER_THREAD * runtime.rayon_threads());
        let desk = Desk::new(most, member.time_limit, member.propagator.clone(), leaves)?;
        let desk = (role != FleetRole::Caller).then_some(desk);
        let transport = match &self.via {
            #[cfg(feature = "nats")]
            Via::Nats(options) => {
                let Some(server) = nats::Server::of(settings, options)? else { return Ok(None) };
                nats::join(server, &member, runtime, desk)
            }
            Via::Hub(hub) => hub.join(member, runtime, desk),
        };
        Ok((role != FleetRole::OnlyWorker).then_some(transport))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let via = match &self.via {
            #[cfg(feature = "nats")]
            Via::Nats(_) => "NATS",
            Via::Hub(_) => "a hub in this process",
        };
        f.debug_struct("Fleet")
            .field("via", &via)
            .field("settings", &self.settings)
            .field("propagator", &self.propagator)
            .finish()
    }
}
