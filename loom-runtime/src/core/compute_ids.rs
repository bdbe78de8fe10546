//! The compute threads, by the ids with which the system tells their CPU time.

use std::time::Duration;

use crate::sync::{Mutex, PoisonError};
use crate::topology::os;

/// Those of all runtimes.
static ALL: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Those of one runtime.
#[derive(Debug, Default)]
pub(crate) struct ComputeIds(Mutex<Vec<u32>>);

impl ComputeIds {
    /// Adds the calling thread, as it starts.
    pub(crate) fn add_this_thread(&self) {
        let Some(id) = os::thread_id() else { return };
        for ids in [&self.0, &ALL] {
            ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    }

    /// Takes the calling thread out, as it ends.
    pub(crate) fn remove_this_thread(&self) {
        let Some(own) = os::thread_id() else { return };
        for ids in [&self.0, &ALL] {
            ids.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| *id != own);
        }
    }

    /// The CPU time of the runtime's compute threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        cpu_time(&self.0)
    }

    /// The CPU time so far of the compute threads of every runtime that is there now.
    pub(crate) fn cpu_time_of_all() -> Duration {
        cpu_time(&ALL)
    }
}

/// A thread that has ended counts no more.
fn cpu_time(ids: &Mutex<Vec<u32>>) -> Duration {
    let ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
    ids.iter().filter_map(|id| os::cpu_time_of(*id)).sum()
}

impl Drop for ComputeIds {
    fn drop(&mut self) {
        let own = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        ALL.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| !own.contains(id));
    }
}

#[cfg(all(test, target_os = "linux", not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_ends_takes_its_threads_out_of_the_list() {
        let is_listed = |id| ALL.lock().is_ok_and(|all| all.contains(&id));
        let ids = ComputeIds::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                ids.add_this_thread();
                while ids.cpu_time().is_zero() {
                    std::hint::spin_loop();
                }
            });
        });
        let own = ids.0.lock().map(|ids| ids[0]).unwrap_or_default();
        assert!(is_listed(own));
        drop(ids);
        assert!(!is_listed(own));
    }
}
