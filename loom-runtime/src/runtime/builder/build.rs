//! Merges the settings of all sources, and makes a plan and a runtime from them.

use std::env;
use std::time::Duration;

#[cfg(feature = "config-files")]
use crate::config::from_file;
use crate::config::{
    Bytes, Calls, Cores, DEFAULT_COMPUTE_QUEUE, Given, Limit, LoomConfig, Settings, Spares,
    TokioFlavor, budget, check_beside, check_flavor, flavor_of, from_environment,
    functions_of_environment, hold_time,
};
use crate::core::DEFAULT_LIMIT;
use crate::error::{LoomError, Result, Source};
use crate::learned::ProfileFile;
use crate::runtime::handle::LoomRuntime;
use crate::threads::override_at_start;
use crate::topology::{Plan, Request};

use super::LoomBuilder;

const DEFAULT_PREFIX: &str = "loom";
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn from_host<T>(value: T) -> Given<T> {
    Given { value, source: Source::Host }
}

fn value<T: Clone>(given: Option<&Given<T>>) -> Option<T> {
    given.map(|given| given.value.clone())
}

impl LoomBuilder {
    /// Starts the threads, and waits until each thread has its CPUs and scheduling class.
    ///
    /// # Errors
    ///
    /// [`LoomError::InvalidSetting`], [`LoomError::UnknownSetting`] and [`LoomError::ConfigFile`]
    /// report a wrong setting and where it was set. The other variants report that the system
    /// refused threads, a resource that tokio needs, or, with
    /// [`Pin::Required`](crate::Pin::Required), CPUs. After an error, threads that were started end
    /// by themselves.
    pub fn build(self) -> Result<LoomRuntime> {
        let mut settings = self.settings()?;
        #[cfg(feature = "fleet")]
        settings.check_fleet(self.fleet.is_some())?;
        let is_paused = self.is_paused();
        if is_paused {
            hold_time(&mut settings, self.host.is_some())?;
        }
        if let Some(host) = &self.host {
            check_beside(&settings, host)?;
            settings.tokio_threads = Some(from_host(host.metrics().num_workers()));
            settings.tokio_flavor = Some(from_host(flavor_of(host)));
        } else {
            check_flavor(&settings)?;
        }
        let budget = budget(&settings)?;
        let flavor = value(settings.tokio_flavor.as_ref()).unwrap_or_default();
        let places_io = self.host.is_none() && flavor == TokioFlavor::MultiThread;
        let io_threads = value(settings.tokio_threads.as_ref());
        let request = Request {
            // I/O threads that Loom does not place need no plan; a split leaves them one core.
            io_threads: if places_io { io_threads } else { Some(1) },
            compute_threads: value(settings.rayon_threads.as_ref()),
            local_cores: value(settings.local_cores.as_ref()).map_or(0, |Cores(cores)| cores),
            placement: value(settings.placement.as_ref()).unwrap_or_default(),
            compute_priority: value(settings.compute_priority.as_ref()).unwrap_or_default(),
            pin: value(settings.pin.as_ref()).unwrap_or_default(),
            stack_size: value(settings.stack_size.as_ref()).map(|Bytes(bytes)| bytes),
            max_spares: value(settings.max_spares.as_ref()).map(|Spares(spares)| spares),
        };
        let plan = Plan::new(budget, request);
        let tuning = settings.tuning()?;
        let profile = value(settings.profile.as_ref());
        let (file, profile) =
            profile.map(|path| ProfileFile::open(path.as_ref())).transpose()?.unzip();
        let config = LoomConfig {
            prefix: value(settings.prefix.as_ref()).unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            tokio_threads: if places_io { plan.io.len() } else { io_threads.unwrap_or(1) },
            rayon_threads: plan.compute.len(),
            local_cores: plan.local.len(),
            cpuset: plan.budget.cpus.to_string(),
            pin: request.pin,
            placement: request.placement,
            compute_priority: request.compute_priority,
            global_rayon: value(settings.global_rayon.as_ref()).unwrap_or_default(),
            stack_size: request.stack_size,
            max_spares: plan.max_spares,
            tokio_flavor: flavor,
            compute_queue: value(settings.compute_queue.as_ref())
                .map_or(DEFAULT_COMPUTE_QUEUE, |Calls(calls)| calls),
            slow_poll: value(settings.slow_poll.as_ref())
                .map_or(Some(DEFAULT_LIMIT), |Limit(limit)| limit),
            shutdown_timeout: value(settings.shutdown_timeout.as_ref())
                .unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
            profile: value(settings.profile.as_ref()),
            functions: settings.functions.iter().map(|given| given.value.clone()).collect(),
            mab_knobs: tuning.knobs,
            calibration: tuning.calibration,
            #[cfg(feature = "fleet")]
            fleet: settings.fleet(),
            sources: settings.sources(),
        };
        let runtime = LoomRuntime::start(config, plan, self.host, is_paused, file)?;
        if let Some(arm) = self.forced {
            // No other code has a handle to the runtime yet.
            let _ = runtime.core().forced.set(arm);
        }
        if let Some(profile) = profile {
            let _ = runtime.core().profile.set(profile);
        }
        for Given { value: (name, over), source } in settings.functions {
            override_at_start(runtime.core(), &name, over, source);
        }
        #[cfg(feature = "fleet")]
        if let Some(membership) = self.fleet {
            runtime.join(&*membership)?;
        }
        #[cfg(feature = "prometheus")]
        runtime.register_with(self.registry.as_ref())?;
        Ok(runtime)
    }

    #[cfg(feature = "test-util")]
    fn is_paused(&self) -> bool {
        self.start_paused
    }

    #[cfg(not(feature = "test-util"))]
    #[expect(clippy::unused_self, reason = "the form with the feature uses it")]
    fn is_paused(&self) -> bool {
        false
    }

    /// Merges all sources; later sources win.
    fn settings(&self) -> Result<Settings> {
        let mut settings = self.defaults.clone();
        // Each source is checked on its own: an invalid value is an error even if a later source
        // overrides it.
        let mut merge = |later: Settings| {
            later.check()?;
            settings.merge(later);
            Ok::<_, LoomError>(())
        };
        merge(self.code.clone())?;
        #[cfg(feature = "fleet")]
        if let Some(membership) = &self.fleet {
            let fleet = vec![Given { value: membership.settings(), source: Source::Code }];
            merge(Settings { fleet, ..Settings::default() })?;
        }
        #[cfg(feature = "config-files")]
        for file in &self.files {
            merge(from_file(file)?)?;
        }
        // The prefix may be the same.
        if self.env_prefix.as_ref().is_none_or(|prefix| prefix.trim_end_matches('_') != "LOOM") {
            merge(functions_of_environment()?)?;
        }
        if let Some(prefix) = &self.env_prefix {
            merge(from_environment(prefix, env::vars_os())?)?;
        }
        #[cfg(feature = "clap")]
        {
            #[cfg(feature = "config-files")]
            if let Some(file) = &self.args.loom_config {
                merge(from_file(file)?)?;
            }
            merge(self.args.settings()?)?;
        }
        Ok(settings)
    }
}
