//! The compute pool of programs that have no Loom runtime.
//!
//! It lets a plain `#[tokio::main]` program adopt one compute function at a time. It is
//! started at the first call outside of any Loom runtime and lives as long as the
//! process.

use std::io::{self, Write};

use rayon::ThreadPool;

use crate::sync::{Arc, OnceLock, mpsc};
use crate::topology::{CoreBudget, Plan, Request};

use super::core::Core;
use super::threads;

/// What `spawn_compute` says where there is no thread to offload to.
pub(crate) const NO_POOL: &str = "the system refused every compute thread: raise the limit on \
    threads (`ulimit -u`), or build a `LoomRuntime` with fewer `rayon_threads`";

struct ProcessWide {
    core: Arc<Core>,
    /// Kept for its threads; the core knows it weakly, as every core does.
    _pool: Option<Arc<ThreadPool>>,
}

static PROCESS_WIDE: OnceLock<ProcessWide> = OnceLock::new();

/// The core of the process-wide pool, started if need be.
pub(crate) fn core() -> Arc<Core> {
    Arc::clone(&PROCESS_WIDE.get_or_init(start).core)
}

/// The core of the process-wide pool, if it was ever used.
pub(crate) fn started() -> Option<Arc<Core>> {
    PROCESS_WIDE.get().map(|process_wide| Arc::clone(&process_wide.core))
}

fn start() -> ProcessWide {
    let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
    let core = Arc::new(Core::new(None, plan.compute.len()));
    let (placed, _) = mpsc::channel();
    match threads::start_rayon(&core, &plan, "loom", None, &placed) {
        Ok(pool) => {
            let pool = Arc::new(pool);
            // The core was made here, so nobody has set it.
            let _ = core.pool.set(Arc::downgrade(&pool));
            ProcessWide { core, _pool: Some(pool) }
        }
        Err(error) => {
            // Told where somebody listens; the work goes on regardless.
            let _ = writeln!(
                io::stderr(),
                "loom: {error}; compute functions run inline until the process is restarted"
            );
            ProcessWide { core: Arc::new(Core::new(None, 0)), _pool: None }
        }
    }
}
