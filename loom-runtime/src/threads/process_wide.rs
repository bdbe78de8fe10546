//! The compute pool of programs that have no Loom runtime.
//!
//! With it, a plain `#[tokio::main]` program can adopt one compute function at a time. It is
//! started at the first call outside of any Loom runtime, and lives as long as the process.

use std::io::{self, Write};

use crate::config::DEFAULT_COMPUTE_QUEUE;
use crate::core::{Core, Pools, Told};
use crate::error::{LoomError, Result};
use crate::scheduler::MabKnobs;
use crate::sync::{Arc, OnceLock, mpsc};
use crate::topology::{CoreBudget, Plan, Request};

use super::compute::start_rayon;
use super::first_overrides::take_from_environment;
use super::keeper;
use super::probe::probe;

struct ProcessWide {
    core: Arc<Core>,
    /// Kept for their threads: the core, as every core, only has a weak reference to its pools.
    _pools: Option<Arc<Pools>>,
}

static PROCESS_WIDE: OnceLock<ProcessWide> = OnceLock::new();

/// The core of the process-wide pool, which is started if it does not run yet.
pub(crate) fn core() -> Arc<Core> {
    let started = PROCESS_WIDE.get();
    let process_wide = started.unwrap_or_else(|| Told::outside(|| PROCESS_WIDE.get_or_init(start)));
    Arc::clone(&process_wide.core)
}

/// The core of the process-wide pool, if it was ever used, without counting a reference.
pub(crate) fn get() -> Option<&'static Core> {
    PROCESS_WIDE.get().map(|process_wide| &*process_wide.core)
}

/// The core of the process-wide pool, if it was ever used.
pub(crate) fn started() -> Option<Arc<Core>> {
    PROCESS_WIDE.get().map(|process_wide| Arc::clone(&process_wide.core))
}

fn start() -> ProcessWide {
    let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
    let threads = plan.compute.len();
    let core = Arc::new(Core::new(
        Arc::clone(&plan),
        None,
        threads,
        DEFAULT_COMPUTE_QUEUE,
        MabKnobs::new(),
    ));
    // On the keeper, from which the threads inherit neither a mask nor a class.
    let started = {
        let core = Arc::clone(&core);
        keeper::order(StartPool(core))
            .map_err(|source| LoomError::ThreadsRefused { wanted: 1, source })
            .flatten()
    };
    take_from_environment(&core);
    match started {
        Ok(pools) => ProcessWide { core, _pools: Some(pools) },
        Err(error) => {
            // A failed write to standard error must not stop the program.
            let _ = writeln!(
                io::stderr(),
                "loom: {error}; compute functions run inline until the process is restarted"
            );
            ProcessWide {
                core: Arc::new(Core::new(plan, None, 0, DEFAULT_COMPUTE_QUEUE, MabKnobs::new())),
                _pools: None,
            }
        }
    }
}

/// Starts the threads of the process-wide pool.
struct StartPool(Arc<Core>);

impl keeper::Order for StartPool {
    type Answer = Result<Arc<Pools>>;

    fn carry_out(self) -> Result<Arc<Pools>> {
        start_pool(&self.0)
    }
}

fn start_pool(core: &Arc<Core>) -> Result<Arc<Pools>> {
    let wanted = core.plan.compute.len();
    probe(wanted)?;
    let (sender, placed) = mpsc::channel();
    let pool = start_rayon(core, "loom-rayon", &core.plan.compute, None, &sender)?;
    let pools = Arc::new(Pools::new(pool, "loom", &core.spares));
    drop(sender);
    // The core was just made, so it is not set.
    let _ = core.pools.set(Arc::downgrade(&pools));
    core.compute_placements.set_first(placed.iter().take(wanted).collect());
    Ok(pools)
}
