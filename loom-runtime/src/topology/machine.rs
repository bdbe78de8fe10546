//! The machine as the system describes it: CPUs, the cores that they belong to, and the caches and
//! memory that cores share.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::CpuSet;
use super::limits::{Limits, limits};

/// One logical CPU.
///
/// A core or a cache is named by the lowest CPU that belongs to it, a node by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) id: usize,
    pub(crate) core: usize,
    /// 0 for the first thread of its core, 1 for its sibling, and so on.
    pub(crate) thread: usize,
    /// The level 3 cache; 0 where the system reports none.
    pub(crate) cache: usize,
    /// The NUMA node.
    pub(crate) node: usize,
}

/// The part of the machine that the process may use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    /// In ascending order, and never empty.
    pub(crate) cpus: Vec<Cpu>,
    /// CPU time per wall time that a control group allows, such as 3.5.
    pub(crate) quota: Option<f64>,
}

impl Machine {
    /// Reads what the system reports about the CPUs of `mask` that the control group allows;
    /// `root` is `/` except in tests. A control group that allows no CPU of `mask` is ignored.
    ///
    /// Where the system reports nothing, this assumes a core for each CPU, one cache and one node.
    pub(crate) fn read(root: &Path, mask: &CpuSet) -> Self {
        let Limits { quota, cpus } = limits(root);
        let allowed = cpus.map(|cpus| cpus.intersection(mask)).filter(|cpus| !cpus.is_empty());
        let cpus = allowed.as_ref().unwrap_or(mask);
        let nodes = nodes(root);
        let mut cpus: Vec<Cpu> = cpus
            .as_slice()
            .iter()
            .map(|&id| {
                let folder = root.join(format!("sys/devices/system/cpu/cpu{id}"));
                let lowest_of = |file: &str| list(&folder.join(file))?.as_slice().first().copied();
                Cpu {
                    id,
                    core: lowest_of("topology/core_cpus_list")
                        .or_else(|| lowest_of("topology/thread_siblings_list"))
                        .unwrap_or(id),
                    thread: 0,
                    cache: last_cache(&folder).unwrap_or(0),
                    node: nodes.get(&id).copied().unwrap_or(0),
                }
            })
            .collect();
        number_threads(&mut cpus);
        Self { cpus, quota }
    }

    /// A machine of which only the numbers of the CPUs are known.
    pub(crate) fn flat(cpus: &CpuSet, quota: Option<f64>) -> Self {
        let cpu = |&id: &usize| Cpu { id, core: id, thread: 0, cache: 0, node: 0 };
        Self { cpus: cpus.as_slice().iter().map(cpu).collect(), quota }
    }
}

/// Numbers the threads of each core, among those that the process may use.
pub(crate) fn number_threads(cpus: &mut [Cpu]) {
    let mut seen: HashMap<usize, usize> = HashMap::new();
    for cpu in cpus {
        let threads = seen.entry(cpu.core).or_default();
        cpu.thread = *threads;
        *threads += 1;
    }
}

fn list(file: &Path) -> Option<CpuSet> {
    CpuSet::parse(fs::read_to_string(file).ok()?.trim()).ok()
}

/// The lowest CPU that shares the level 3 cache of the CPU in `folder`.
fn last_cache(folder: &Path) -> Option<usize> {
    (0..8).map(|i| folder.join(format!("cache/index{i}"))).find_map(|cache| {
        let level = fs::read_to_string(cache.join("level")).ok()?;
        let shared = (level.trim() == "3").then(|| list(&cache.join("shared_cpu_list")))?;
        shared?.as_slice().first().copied()
    })
}

/// The node of each CPU.
fn nodes(root: &Path) -> HashMap<usize, usize> {
    let mut nodes = HashMap::new();
    let Ok(entries) = fs::read_dir(root.join("sys/devices/system/node")) else { return nodes };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("node")?.parse().ok());
        let Some((number, cpus)) = number.zip(list(&entry.path().join("cpulist"))) else {
            continue;
        };
        nodes.extend(cpus.as_slice().iter().map(|cpu| (*cpu, number)));
    }
    nodes
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process;

    use super::{Cpu, Machine};
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::topology::CpuSet;

    /// A folder with the files that a system would show; the drop removes it.
    pub(crate) struct Tree(PathBuf);

    impl Tree {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("loom-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("the folder for temporary files can be written");
            Self(path)
        }

        pub(crate) fn file(self, path: &str, text: &str) -> Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("it is below the root")).expect("as above");
            fs::write(path, text).expect("as above");
            self
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            // Leftovers are in the system's folder for temporary files, so a failure is harmless.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn siblings_caches_and_nodes_are_read() {
        let mut tree = Tree::new();
        // Two nodes of two cores with two threads each, numbered as Linux numbers them.
        for id in 0..8 {
            let (core, node) = (id % 4, id % 4 / 2);
            let cpu = format!("sys/devices/system/cpu/cpu{id}");
            tree = tree
                .file(&format!("{cpu}/topology/core_cpus_list"), &format!("{core},{}\n", core + 4))
                .file(&format!("{cpu}/cache/index0/level"), "1\n")
                .file(&format!("{cpu}/cache/index3/level"), "3\n")
                .file(
                    &format!("{cpu}/cache/index3/shared_cpu_list"),
                    ["0-1,4-5\n", "2-3,6-7\n"][node],
                );
        }
        tree = tree
            .file("sys/devices/system/node/node0/cpulist", "0-1,4-5\n")
            .file("sys/devices/system/node/node1/cpulist", "2-3,6-7\n")
            .file("sys/devices/system/node/has_cpu", "0-1\n");
        let machine = Machine::read(tree.path(), &CpuSet::parse("1-3,5-7").expect("a list"));
        let cpus: Vec<_> =
            machine.cpus.iter().map(|c| (c.id, c.core, c.thread, c.cache, c.node)).collect();
        assert_eq!(
            cpus,
            [
                (1, 1, 0, 0, 0),
                (2, 2, 0, 2, 1),
                (3, 3, 0, 2, 1),
                (5, 1, 1, 0, 0),
                (6, 2, 1, 2, 1),
                (7, 3, 1, 2, 1)
            ]
        );
    }

    #[test]
    fn a_system_that_tells_nothing_has_a_core_for_each_cpu() {
        let cpus = CpuSet::parse("0,2").expect("a list");
        let machine = Machine::read(Tree::new().path(), &cpus);
        assert_eq!(machine, Machine::flat(&cpus, None));
        assert_eq!(machine.cpus[1], Cpu { id: 2, core: 2, thread: 0, cache: 0, node: 0 });
    }

    #[test]
    fn a_cpuset_that_shares_nothing_with_the_mask_is_not_believed() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/\n")
            .file("proc/self/mountinfo", mounts)
            .file("sys/fs/cgroup/cpuset.cpus.effective", "4-7\n");
        let read = |mask| {
            let machine = Machine::read(tree.path(), &CpuSet::parse(mask).expect("a list"));
            machine.cpus.iter().map(|cpu| cpu.id).collect::<CpuSet>().to_string()
        };
        assert_eq!(read("0-5"), "4-5");
        assert_eq!(read("0-1"), "0-1");
    }
}
