//! The plug-in's own tokio runtime and rayon pool, on threads of the host.

use std::io;
use std::time::Duration;

use loom_abi::RuntimeHandle;
use loom_abi::{Status, ThreadKind};
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::boundary::HostRef;
use crate::error::LoomError;
use crate::panics::drop_ignoring_panic;
use crate::scheduler::{CalibrationConfig, MabKnobs};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, OnceLock, PoisonError, Weak, mpsc, thread};
use crate::topology::{CoreBudget, CpuSet, GlobalRayon, Pin, Plan, Request, os};

use crate::config::{LoomConfig, TokioFlavor};
use crate::core::context;
use crate::core::{Core, DEFAULT_LIMIT, Pools};
use crate::local::LocalCores;
use crate::runtime::{Inner, LoomRuntime};
use crate::threads::drainer;
use crate::threads::keeper;
use crate::threads::serve;
use crate::threads::take_from_environment;
use crate::threads::{ShutdownWait, TokioSide};

use super::attach::{Attach, AttachError};
use super::attached::Attached;
use super::detach::{abandon, end_tokio};
use super::own::Host;
use crate::core::attached;

/// How long `LoomRuntime::drop` and similar calls wait; a plug-in has no setting for it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The most threads of a kind; the texts of `Attach` and `AttachError` say it, too.
const MOST_THREADS: usize = 8192;

/// The number of the thread that ends the driver, among the threads that the host starts for I/O.
const ENDER: usize = 98;
/// How long tokio may take to start; it requests threads and does not wait for them.
const LONGEST_START: Duration = Duration::from_secs(10);

/// Attaches this library to the host's runtime; the same as [`Attach::to`] with all defaults.
///
/// From then on, until [`Attached::detach`] or the end of the host, the free functions of this
/// crate ([`loom::spawn_async`](crate::spawn_async) and its neighbours), compute functions and
/// `loom::current_runtime` use the host's runtime on every thread that has no other runtime.
///
/// ```
/// use loom::plugin::Attached;
///
/// /// The host calls this first, and lends `handle`.
/// pub extern "C" fn thumbnails_start(handle: loom::plugin::RuntimeHandle<'_>) -> bool {
///     match loom::plugin::attach(handle) {
///         // The library stays attached when this is dropped.
///         Ok(attached) => serve(&attached),
///         Err(error) => eprintln!("thumbnails: {error}"),
///     }
///     loom::current_runtime().is_some()
/// }
///
/// fn serve(attached: &Attached) {
///     drop(attached.spawn(async { /* tokio's sockets and timers work in here */ }));
/// }
/// # assert!(loom::current_runtime().is_none());
/// ```
///
/// # Errors
///
/// [`AttachError`].
pub fn attach(handle: RuntimeHandle<'_>) -> Result<Attached, AttachError> {
    Attach::to(handle).start()
}

impl Attach<'_> {
    /// Attaches: the host starts the threads, and this call waits until they run, at most 10 s.
    ///
    /// # Errors
    ///
    /// [`AttachError`]; [`Start`](AttachError::Start) also where the host has ended.
    pub fn start(self) -> Result<Attached, AttachError> {
        let settings = [
            ("driver_threads", self.driver_threads),
            ("compute_threads", self.compute_threads.unwrap_or(1)),
        ];
        for (setting, value) in settings {
            if !(1..=MOST_THREADS).contains(&value) {
                return Err(AttachError::Setting { setting, value });
            }
        }
        let host = HostRef::of(self.handle)?;
        #[cfg(feature = "plugin-host")]
        if crate::plugin_host::is_own(self.handle) {
            return Err(AttachError::SameLibrary);
        }
        start(Arc::new(host), &self)
    }
}

fn start(host: Arc<HostRef>, how: &Attach<'_>) -> Result<Attached, AttachError> {
    os::watch_forks();
    let facts = host.facts();
    // As many as the host has, within the bounds of the setting.
    let threads = how.compute_threads.unwrap_or(facts.compute_threads).clamp(1, MOST_THREADS);
    let request = Request {
        io_threads: Some(1),
        compute_threads: Some(threads),
        // The host pins the threads.
        pin: Pin::No,
        ..Request::default()
    };
    let plan = Arc::new(Plan::new(CoreBudget::discover(), request));
    let core = Arc::new(Core::new(
        Arc::clone(&plan),
        Some(facts.io_threads),
        threads,
        facts.compute_queue,
        MabKnobs::new(),
    ));
    core.owner.set_host(Arc::clone(&host));
    core.owner.set_context(how.context);
    // The operator of the host decides for its plug-ins, too.
    take_from_environment(&core);
    let name = format!("{}-{}", facts.prefix, facts.name);
    let driver = start_driver(&core, &host, &name, how.driver_threads)?;
    let tokio = {
        let core = Arc::clone(&core);
        TokioSide::ended_by(driver, Box::new(move |driver| end_driver(&core, driver)))
    };
    let pool = start_pool(&core, &host, threads, tokio.handle())?;
    drainer::prepare(&core, &pool);
    let pools = Arc::new(Pools::new(pool, &name, &core.spares));
    let config = LoomConfig {
        prefix: name,
        tokio_threads: facts.io_threads,
        rayon_threads: threads,
        local_cores: 0,
        cpuset: plan.budget.cpus.to_string(),
        pin: request.pin,
        placement: request.placement,
        global_rayon: GlobalRayon::default(),
        stack_size: None,
        max_spares: core.plan.max_spares,
        compute_priority: request.compute_priority,
        tokio_flavor: TokioFlavor::MultiThread,
        compute_queue: facts.compute_queue,
        slow_poll: Some(DEFAULT_LIMIT),
        shutdown_timeout: SHUTDOWN_TIMEOUT,
        profile: None,
        functions: Vec::new(),
        mab_knobs: MabKnobs::new(),
        calibration: CalibrationConfig::new(),
        #[cfg(feature = "fleet")]
        fleet: crate::config::FleetSettings::default(),
        sources: Vec::new(),
    };
    let inner = Arc::new(Inner {
        #[cfg(feature = "plugin-host")]
        ends_extension: crate::runtime::EndsExtension::of(&core),
        config,
        profile: None,
        io: Vec::new(),
        local: LocalCores::default(),
        clock: OnceLock::new(),
        #[cfg(feature = "signal")]
        stop: Mutex::default(),
        #[cfg(feature = "fleet")]
        leaves_fleet: tokio_util::sync::CancellationToken::new(),
        is_paused: false,
        tokio_cpus: CpuSet::default(),
        rayon_cpus: CpuSet::default(),
        task_tracker: Arc::default(),
        pools,
        calibration: OnceLock::new(),
        metrics: OnceLock::new(),
        tokio,
        core,
    });
    let core = &inner.core;
    // The core was made here, so none of these is set.
    let _ = core.tokio.set(inner.tokio.handle().clone());
    let _ = core.own_workers.set(how.driver_threads);
    let _ = core.pools.set(Arc::downgrade(&inner.pools));
    core.set_handle(&inner);
    attached::add(core, Arc::clone(&inner) as attached::Handle);
    let registered = host.register({
        // Weak: the host holds this closure, and the core holds the host.
        let core = Arc::downgrade(core);
        move || host_has_ended(&core)
    });
    if registered != Status::DONE {
        drop(attached::remove(&inner.core));
        inner.core.lifecycle.leave();
        inner.tokio.end(ShutdownWait::None);
        return Err(match registered {
            Status::REFUSED => AttachError::Used,
            _ => LoomError::Host(registered.0).into(),
        });
    }
    // Calls and deadlines need the keeper, on threads that must not wait for the host to start it.
    if let Err(source) = keeper::prepare() {
        abandon(core);
        return Err(LoomError::ThreadsRefused { wanted: 1, source }.into());
    }
    let runtime = LoomRuntime::from_inner(inner);
    Ok(Attached { runtime, host: Host { raw: host } })
}

/// Refuses all work from now on, and ends the threads. Called on any thread.
fn host_has_ended(core: &Weak<Core>) {
    let Some(core) = core.upgrade() else { return };
    core.owner.host_leaves();
    core.lifecycle.leave();
    if let Some(inner) = core.handle::<Inner>() {
        inner.stop_loops();
    }
    end_tokio(attached::leave(&core));
}

/// Starts the plug-in's tokio on a thread of the host; its threads inherit the CPUs and the class
/// of that thread.
fn start_driver(
    core: &Arc<Core>,
    host: &Arc<HostRef>,
    name: &str,
    threads: usize,
) -> Result<Runtime, LoomError> {
    // Weak: the core holds tokio's handle, and tokio holds these closures.
    let weak = Arc::downgrade(core);
    let name = {
        let name = name.to_owned();
        let started = AtomicUsize::new(0);
        move || match started.fetch_add(1, Ordering::Relaxed) {
            n if n < threads => format!("{name}-io-{n:02}"),
            n => format!("{name}-blocking-{:02}", n - threads),
        }
    };
    let on_start = {
        let (weak, host) = (weak.clone(), Arc::clone(host));
        move || {
            host.place_thread();
            if let Some(core) = weak.upgrade() {
                core.tokio_threads.fetch_add(1, Ordering::Relaxed);
                context::adopt(core);
            }
        }
    };
    let on_stop = move || {
        if let Some(core) = weak.upgrade() {
            core.tokio_threads.fetch_sub(1, Ordering::Relaxed);
        }
    };
    let (sender, built) = mpsc::channel();
    let body = move || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all();
        builder.thread_name_fn(name).on_thread_start(on_start).on_thread_stop(on_stop);
        // The receiver is gone where it took too long: then the runtime ends here, on this thread.
        let _ = sender.send(builder.build());
    };
    match host.start_thread(ThreadKind::IO, 0, body) {
        Status::DONE => {}
        refused => return Err(LoomError::Host(refused.0)),
    }
    // Where the system refuses a thread, tokio panics, or waits for the threads that it has started
    // but not told to end. In the second case it is abandoned.
    match built.recv_timeout(LONGEST_START) {
        Ok(built) => {
            let driver = built.map_err(LoomError::TokioRuntime)?;
            core.owner.driver_starts();
            Ok(driver)
        }
        Err(_refused) => Err(LoomError::ThreadsRefused {
            wanted: threads,
            source: io::Error::other("tokio could not start its threads"),
        }),
    }
}

/// Ends the plug-in's tokio on a thread that may wait for all of tokio's threads, so that Loom
/// knows when the last of them has ended.
fn end_driver(core: &Arc<Core>, driver: Runtime) {
    let kept = Arc::new(Mutex::new(Some(driver)));
    let body = || {
        let (core, kept) = (Arc::clone(core), Arc::clone(&kept));
        move || {
            let driver = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
            // A host may run this although it says that it has not started the thread.
            if let Some(driver) = driver {
                drop(driver);
                core.owner.driver_has_ended();
            }
        }
    };
    // A host that has ended starts no thread, and is not asked: it calls this in `leave`, which must
    // not wait, as the start of a thread of the host does.
    let host = core.owner.host().filter(|_| core.owner.host_stays());
    let is_started =
        host.is_some_and(|host| host.start_thread(ThreadKind::IO, ENDER, body()) == Status::DONE);
    if !is_started
        && thread::Builder::new().name("loom-end".to_owned()).spawn(body()).is_err()
        && let Some(driver) = kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        // Nothing reports when this has ended, so the library stays mapped.
        driver.shutdown_background();
    }
}

/// Starts the plug-in's rayon; the host starts, names and places each of its threads.
fn start_pool(
    core: &Arc<Core>,
    host: &Arc<HostRef>,
    threads: usize,
    driver: &Handle,
) -> Result<ThreadPool, LoomError> {
    let on_panic = {
        let core = Arc::clone(core);
        move |payload| {
            core.counters.compute_panics.add_one();
            drop_ignoring_panic(payload);
        }
    };
    let spawn = |thread: ThreadBuilder| -> io::Result<()> {
        let (core, driver, index) = (Arc::clone(core), driver.clone(), thread.index());
        let body = move || {
            let _entered = driver.enter();
            serve(Arc::clone(&core));
            context::adopt(core);
            thread.run();
        };
        match host.start_thread(ThreadKind::COMPUTE, index, body) {
            Status::DONE => Ok(()),
            refused => Err(io::Error::other(LoomError::Host(refused.0))),
        }
    };
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .panic_handler(on_panic)
        .spawn_handler(spawn)
        .build()
        .map_err(|error| LoomError::RayonThreadPool(Box::new(error)))
}
