//! Starts a runtime from a plan.

use std::io;

use tokio::runtime::Handle;
#[cfg(feature = "fleet")]
use tokio_util::sync::CancellationToken;

use crate::config::{LoomConfig, TokioFlavor};
#[cfg(feature = "test-util")]
use crate::core::PausedTime;
use crate::core::{Core, Pools, beside};
use crate::error::{LoomError, Result, Source};
use crate::learned::{ProfileFile, calibrate};
use crate::local::{self, LocalCores};
#[cfg(feature = "signal")]
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Arc, OnceLock, mpsc};
use crate::threads::{
    TokioSide, await_placed, global_rayon, keeper, probe, start_rayon, start_tokio, warn_once,
};
use crate::time::InactiveClock;
use crate::topology::{CpuSet, GlobalRayon, Pin, Plan, Role, ThreadPlacement, os};

use super::handle::LoomRuntime;
#[cfg(feature = "plugin-host")]
use super::inner::EndsExtension;
use super::inner::Inner;

impl LoomRuntime {
    /// Starts the threads. The keeper starts them, since threads inherit the CPUs and class of
    /// their creator, and the keeper has every CPU and normal class. With `host`, the I/O side
    /// exists already.
    pub(crate) fn start(
        config: LoomConfig,
        plan: Plan,
        host: Option<Handle>,
        is_paused: bool,
        profile: Option<ProfileFile>,
    ) -> Result<Self> {
        if os::is_forked() {
            return Err(LoomError::Forked);
        }
        let started = keeper::order(Start { config, plan, host, is_paused, profile });
        let inner = started.map_err(|source| LoomError::ThreadsRefused { wanted: 1, source })??;
        let runtime = Self::from_inner(inner);
        if let Some(measured) = calibrate(runtime.core(), runtime.inner.config.calibration) {
            // It is set only here, when the runtime is built.
            let _ = runtime.inner.calibration.set(measured);
        }
        Ok(runtime)
    }
}

/// Starts the threads of a runtime.
struct Start {
    config: LoomConfig,
    plan: Plan,
    host: Option<Handle>,
    is_paused: bool,
    profile: Option<ProfileFile>,
}

impl keeper::Order for Start {
    type Answer = Result<Arc<Inner>>;

    fn carry_out(self) -> Result<Arc<Inner>> {
        start(self)
    }
}

fn start(Start { config, plan, host, is_paused, profile }: Start) -> Result<Arc<Inner>> {
    let plan = Arc::new(plan);
    let is_ours = host.is_none();
    // A current-thread runtime starts no thread: its tasks run on the thread that drives it.
    let io_threads =
        if is_ours && config.tokio_flavor == TokioFlavor::MultiThread { plan.io.len() } else { 0 };
    let io_workers = host.as_ref().map_or(plan.io.len(), |host| host.metrics().num_workers());
    let wanted = io_threads + plan.compute.len();
    probe(wanted + plan.local.len())?;

    let (threads, queue) = (plan.compute.len(), config.compute_queue);
    let core =
        Arc::new(Core::new(Arc::clone(&plan), Some(io_workers), threads, queue, config.mab_knobs));
    core.slow_polls.set_limit(config.slow_poll);
    let (sender, placed) = mpsc::channel();
    let tokio = if let Some(host) = host {
        TokioSide::beside(host)
    } else {
        let (flavor, prefix) = (config.tokio_flavor, &config.prefix);
        TokioSide::of(start_tokio(&core, flavor, is_paused, prefix, sender.clone())?)
    };
    let handle = tokio.handle();
    let names = format!("{}-rayon", config.prefix);
    let pool = start_rayon(&core, &names, &plan.compute, Some(handle), &sender)?;
    drop(sender);
    let mut io = await_placed(&placed, wanted, handle)?;
    let compute: Vec<_> = io.extract_if(.., |thread| thread.role == Role::Compute).collect();
    let local = start_local_cores(&core, &config.prefix)?;
    let all: Vec<_> = io.iter().chain(local.placements()).chain(&compute).collect();
    check_pinned(config.pin, &all)?;
    warn_of_refusals(&config, &all);
    if config.global_rayon == GlobalRayon::IoFirst {
        global_rayon::build_io_first(&core);
    }

    let union = |threads: &[ThreadPlacement]| {
        threads.iter().flat_map(|t| t.cpus.as_slice()).copied().collect::<CpuSet>()
    };
    let pools = Arc::new(Pools::new(pool, &config.prefix, &core.spares));
    let inner = Arc::new(Inner {
        #[cfg(feature = "plugin-host")]
        ends_extension: EndsExtension::of(&core),
        tokio_cpus: union(&io),
        rayon_cpus: union(&compute),
        task_tracker: Arc::default(),
        calibration: OnceLock::new(),
        metrics: OnceLock::new(),
        clock: OnceLock::new(),
        #[cfg(feature = "signal")]
        stop: Mutex::default(),
        #[cfg(feature = "fleet")]
        leaves_fleet: CancellationToken::new(),
        is_paused,
        local,
        tokio,
        core,
        config,
        profile,
        io,
        pools,
    });
    let core = &inner.core;
    // The core was created above, so none of these is set yet.
    let _ = core.tokio.set(inner.tokio.handle().clone());
    #[cfg(feature = "test-util")]
    if is_paused {
        let _ = core.paused.set(PausedTime::new(inner.tokio.handle().clone()));
    }
    if is_ours {
        let _ = core.own_workers.set(io_threads);
    }
    let local_tasks = inner.local.all().iter().map(|local| Arc::clone(local.tasks()));
    let _ = core.local_tasks.set(local_tasks.collect());
    let _ = core.pools.set(Arc::downgrade(&inner.pools));
    core.set_handle(&inner);
    core.compute_placements.set_first(compute);
    if !is_ours {
        beside::register(inner.tokio.handle(), core);
    }
    Ok(inner)
}

fn start_local_cores(core: &Arc<Core>, prefix: &str) -> Result<LocalCores> {
    let clock = InactiveClock::new();
    let mut threads = LocalCores::default();
    for index in 0..core.plan.local.len() {
        // On an error, the drop of `threads` ends the cores that have started.
        let started = local::start(core, prefix, &clock, index);
        let (thread, placement) = started.map_err(LoomError::LocalCore)?;
        threads.add(thread, placement);
    }
    Ok(threads)
}

fn check_pinned(pin: Pin, threads: &[&ThreadPlacement]) -> Result<()> {
    if pin != Pin::Required {
        return Ok(());
    }
    let refused = threads.iter().find_map(|thread| Some((thread, thread.refused.as_ref()?)));
    refused.map_or(Ok(()), |(thread, error)| {
        Err(LoomError::PinRefused {
            thread: thread.name.clone(),
            cpus: thread.thread_plan.cpus.as_ref().map(ToString::to_string).unwrap_or_default(),
            source: same_error(error),
        })
    })
}

/// Warns, once each, that threads could not be pinned or did not get their class.
fn warn_of_refusals(config: &LoomConfig, threads: &[&ThreadPlacement]) {
    static PIN: AtomicBool = AtomicBool::new(false);
    static CLASS: AtomicBool = AtomicBool::new(false);
    // That a system has no such call is reported only to those who asked for it.
    let reported = |settings: &[&str]| {
        let is_set = settings
            .iter()
            .any(|key| config.source(key).is_some_and(|source| *source != Source::Default));
        move |error: &&io::Error| is_set || error.kind() != io::ErrorKind::Unsupported
    };
    let refused = threads.iter().find_map(|t| t.refused.as_ref());
    if let Some(error) = refused.filter(reported(&["pin", "placement", "local_cores"])) {
        let allow = if cfg!(target_os = "linux") { "allow `sched_setaffinity`, or " } else { "" };
        let warning = format!(
            "the system refuses to pin threads ({error}): they run on any CPU; {allow}set `pin` to \
             false"
        );
        warn_once(&PIN, &warning);
    }
    let class_refused = threads.iter().find_map(|t| t.class_refused.as_ref());
    if let Some(error) = class_refused.filter(reported(&["compute_priority"])) {
        warn_once(
            &CLASS,
            &format!(
                "the system refuses the priority of compute threads ({error}): they compete \
                 with I/O; allow `sched_setscheduler` and `setpriority`, or set \
                 `compute_priority` to `normal` and `placement` to `split`"
            ),
        );
    }
}

/// A copy of the error: it is not `Clone`, and the placement keeps the original for `Display`.
fn same_error(error: &io::Error) -> io::Error {
    let text = || io::Error::new(error.kind(), error.to_string());
    error.raw_os_error().map_or_else(text, io::Error::from_raw_os_error)
}
