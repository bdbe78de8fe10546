//! Control groups of the system, whose limits change while a runtime works.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use tokio::task::JoinHandle;

use crate::system::{cpus_allowed, work};

/// A group that has this process while it lives.
struct Group {
    folder: PathBuf,
    parent: PathBuf,
    is_v2: bool,
}

impl Group {
    /// Makes a group of a controller, below the process's own, and prepares it before the process
    /// joins. An error where the system does not allow it.
    fn join(controller: &str, prepare: impl FnOnce(&Self) -> io::Result<()>) -> io::Result<Self> {
        let memberships = fs::read_to_string("/proc/self/cgroup")?;
        let own = |controllers: &str| {
            memberships.lines().find_map(|line| {
                let (names, group) = line.split_once(':')?.1.split_once(':')?;
                names.split(',').any(|name| name == controllers).then_some(group)
            })
        };
        let none = || io::Error::other("no such group");
        let mount = Path::new("/sys/fs/cgroup");
        let (is_v2, root, group) = match own(controller) {
            Some(group) => (false, mount.join(controller), group),
            None => (true, mount.to_owned(), own("").ok_or_else(none)?),
        };
        let parent = root.join(group.trim_start_matches('/'));
        if is_v2 {
            fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        let folder = parent.join(format!("loom-test-{}", process::id()));
        fs::create_dir(&folder)?;
        let group = Self { folder, parent, is_v2 };
        prepare(&group)?;
        fs::write(group.folder.join("cgroup.procs"), process::id().to_string())?;
        Ok(group)
    }

    /// Lets the group use so many thousandths of a CPU's time.
    fn set_quota(&self, thousandths: u32) -> io::Result<()> {
        let quota = thousandths * 100;
        if self.is_v2 {
            return fs::write(self.folder.join("cpu.max"), format!("{quota} 100000"));
        }
        fs::write(self.folder.join("cpu.cfs_quota_us"), quota.to_string())
    }

    fn set_cpus(&self, cpus: &[usize]) -> io::Result<()> {
        let cpus: Vec<_> = cpus.iter().map(ToString::to_string).collect();
        fs::write(self.folder.join("cpuset.cpus"), cpus.join(","))
    }

    /// In how many periods the group has run, and in how many of them it was stopped.
    fn periods(&self) -> (u64, u64) {
        let stat = fs::read_to_string(self.folder.join("cpu.stat")).expect("it is there");
        let count = |name| {
            let count = stat.lines().find_map(|line| line.strip_prefix(name));
            count.expect("it is there").trim().parse().expect("it is a number")
        };
        (count("nr_periods "), count("nr_throttled "))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // If this fails, an empty group stays behind.
        let _ = fs::write(self.parent.join("cgroup.procs"), process::id().to_string());
        let _ = fs::remove_dir(&self.folder);
    }
}

fn skip(what: &str, error: &io::Error) {
    println!("skipped: the system does not let this process {what}: {error}");
}

/// Work for every compute thread until it is dropped.
struct Load<'a> {
    runtime: &'a LoomRuntime,
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl<'a> Load<'a> {
    fn on(runtime: &'a LoomRuntime) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let caller = || {
            let (own, over) = (runtime.clone(), Arc::clone(&over));
            runtime.spawn_async(async move {
                while !over.load(Ordering::Relaxed) {
                    own.spawn_compute(work).await;
                }
            })
        };
        let callers = (0..2 * runtime.rayon_threads()).map(|_| caller()).collect();
        Self { runtime, over, callers }
    }

    /// Makes so many calls, or fewer if `is_done`.
    fn until(&self, calls: u32, is_done: impl Fn() -> bool) {
        for _ in 0..calls {
            if is_done() {
                return;
            }
            self.runtime.block_on(self.runtime.spawn_compute(work));
        }
    }

    /// Waits until the runtime has seen so many changes of its budget, and prints how long it took.
    fn settles(&self, changes: u64) {
        let metrics = self.runtime.prometheus_metrics();
        let seen = &metrics.cpu_budget_changes;
        let start = Instant::now();
        // The keeper looks once a second; a busy machine may delay it.
        self.until(100_000, || seen.get() >= changes);
        assert_eq!(seen.get(), changes);
        let budget = metrics.cpu_budget.get();
        println!("settled at {budget} CPUs after {:.2} s", start.elapsed().as_secs_f64());
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            // A call does not panic.
            let _ = self.runtime.block_on(caller);
        }
    }
}

pub(crate) fn the_quota_changes() {
    let group = match Group::join("cpu", |group| group.set_quota(2000)) {
        Ok(group) => group,
        Err(error) => return skip("limit its CPU time", &error),
    };
    let runtime = LoomBuilder::new().cpuset("0,1").build().expect("it starts");
    let metrics = runtime.prometheus_metrics();
    let load = Load::on(&runtime);
    assert_eq!(metrics.cpu_budget.get().to_string(), "2");
    group.set_quota(500).expect("as before");
    load.settles(1);
    assert_eq!(metrics.cpu_budget.get().to_string(), "0.5");
    assert!(runtime.to_string().contains("(1 at once, quota 0.50)"), "{runtime}");
    // The pace follows what the last second has shown.
    let periods = |more| {
        let (before, run) = (group.periods(), metrics.compute_run.get());
        load.until(100_000, || group.periods().0 >= before.0 + more);
        let (now, run) = (group.periods(), metrics.compute_run.get() - run);
        let (all, stopped) = (now.0 - before.0, now.1 - before.1);
        println!("stopped in {stopped} of {all} periods, in which {run} calls ran");
        (all, stopped, run)
    };
    periods(40);
    let (all, stopped, run) = periods(50);
    assert!(all >= 50, "the calls go on");
    assert!(stopped <= all / 5, "the runtime keeps below its quota: {stopped} of {all}");
    assert!(run >= 50, "and makes calls: {run}");
    assert!(metrics.throttled_periods.get() > 0, "it was stopped before it settled");
    group.set_quota(2000).expect("as before");
    load.settles(2);
    assert!(runtime.to_string().contains("(2 at once, quota 2.00)"), "{runtime}");
}

pub(crate) fn the_cpu_set_changes() {
    let all = cpus_allowed();
    let [one, two] = *all.first_chunk().unwrap_or(&[0, 0]);
    if one == two {
        return skip("take a CPU away", &io::Error::other("there is one"));
    }
    let both = |group: &Group| {
        if !group.is_v2 {
            fs::copy(group.parent.join("cpuset.mems"), group.folder.join("cpuset.mems"))?;
        }
        group.set_cpus(&[one, two])
    };
    let group = match Group::join("cpuset", both) {
        Ok(group) => group,
        Err(error) => return skip("choose its CPUs", &error),
    };
    for pin in [false, true] {
        let builder = LoomBuilder::new().pin(pin).compute_priority(ComputePriority::Normal);
        let runtime = builder.build().expect("it starts");
        let masks = || runtime.threads().into_iter().map(|thread| thread.cpus).collect::<Vec<_>>();
        let at_first = masks();
        let load = Load::on(&runtime);
        group.set_cpus(&[one]).expect("as before");
        load.settles(1);
        assert!(runtime.to_string().contains("(1 at once"), "{runtime}");
        assert!(masks().iter().all(|mask| *mask == [one]), "{runtime}");
        group.set_cpus(&[one, two]).expect("as before");
        load.settles(2);
        assert!(runtime.to_string().contains("(2 at once"), "{runtime}");
        // A compute thread that moves to another CPU has that one alone for a moment.
        load.until(100_000, || masks() == at_first);
        assert_eq!(masks(), at_first);
    }
}
