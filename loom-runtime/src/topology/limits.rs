//! The limits that control groups set for the process: a quota of CPU time, and a set of CPUs.
//!
//! The quota is read again while there is work. Where its files are is found once for each group
//! that the process is in. Reading them then does not allocate, since it goes on while calls must
//! not allocate either.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::CpuSet;
use super::cgroup::{Hierarchy, MEMBERSHIPS, hierarchy};

/// A file that is longer counts as one that cannot be read.
const LONGEST: usize = 4096;

/// What the groups allow; `None` where they set no bound or cannot be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// CPU time per wall time, such as 3.5.
    pub(super) quota: Option<f64>,
    pub(super) cpus: Option<CpuSet>,
}

/// The limits of the process; `root` is `/` except in tests.
pub(super) fn limits(root: &Path) -> Limits {
    let memberships = fs::read_to_string(root.join(MEMBERSHIPS)).unwrap_or_default();
    let cpus = hierarchy(root, &memberships, "cpuset").and_then(|hierarchy| cpus(&hierarchy));
    Limits { quota: QuotaFiles::find(root, memberships).quota(), cpus }
}

/// The set of the nearest group that has one: the kernel has applied the parents' bounds to it.
fn cpus(hierarchy: &Hierarchy) -> Option<CpuSet> {
    let file = if hierarchy.is_v2 { "cpuset.cpus.effective" } else { "cpuset.effective_cpus" };
    let read = |group: &PathBuf| fs::read_to_string(group.join(file)).ok();
    hierarchy.groups.iter().find_map(|group| CpuSet::parse(read(group)?.trim()).ok())
}

/// The files of the quota.
#[derive(Debug)]
pub(crate) struct QuotaFiles {
    root: PathBuf,
    /// Where the kernel names the groups of the process.
    source: PathBuf,
    /// The groups of the process, as the kernel wrote them when the files were found.
    memberships: String,
    /// The process's own group, then its parents.
    groups: Vec<GroupFiles>,
}

#[derive(Debug)]
struct GroupFiles {
    bound: Bound,
    stat: PathBuf,
    /// What was read last. It stands while a file that is there cannot be read, for example because
    /// the process has no file descriptor left.
    quota: Option<f64>,
    throttled: Option<u64>,
}

/// The files of a group's quota in either version of control groups.
#[derive(Debug)]
enum Bound {
    V1 { quota: PathBuf, period: PathBuf },
    V2 { max: PathBuf },
}

impl QuotaFiles {
    /// Finds the files for a process in these groups.
    fn find(root: &Path, memberships: String) -> Self {
        let hierarchy = hierarchy(root, &memberships, "cpu");
        let files = |is_v2, group: &PathBuf| {
            let file = |name| group.join(name);
            let bound = if is_v2 {
                Bound::V2 { max: file("cpu.max") }
            } else {
                Bound::V1 { quota: file("cpu.cfs_quota_us"), period: file("cpu.cfs_period_us") }
            };
            GroupFiles { bound, stat: file("cpu.stat"), quota: None, throttled: None }
        };
        let groups = hierarchy.map_or_else(Vec::new, |hierarchy| {
            hierarchy.groups.iter().map(|group| files(hierarchy.is_v2, group)).collect()
        });
        Self { root: root.to_owned(), source: root.join(MEMBERSHIPS), memberships, groups }
    }

    pub(crate) fn of_process() -> Self {
        let root = Path::new("/");
        let memberships = fs::read_to_string(root.join(MEMBERSHIPS)).unwrap_or_default();
        Self::find(root, memberships)
    }

    /// Finds the files again and returns true, if the process has moved to another group.
    pub(crate) fn follow_process(&mut self) -> bool {
        let mut buffer = [0; LONGEST];
        let memberships = read(&self.source, &mut buffer).unwrap_or_default();
        let moved = memberships.filter(|now| *now != self.memberships);
        if let Some(memberships) = moved {
            *self = Self::find(&self.root, memberships.to_owned());
        }
        moved.is_some()
    }

    /// CPU time per wall time, such as 3.5: the tightest bound on the way up.
    pub(crate) fn quota(&mut self) -> Option<f64> {
        let bounds = self.groups.iter_mut().filter_map(GroupFiles::quota);
        bounds.min_by(f64::total_cmp)
    }

    /// In how many periods the process's group, or one above it, was stopped because it had used
    /// its quota up. Each group counts its own; `None` where no group can be read.
    pub(crate) fn throttled(&mut self) -> Option<u64> {
        let counts = self.groups.iter_mut().filter_map(GroupFiles::throttled);
        counts.reduce(|sum, of_group| sum + of_group)
    }
}

impl GroupFiles {
    fn quota(&mut self) -> Option<f64> {
        if let Ok(now) = self.bound.quota() {
            self.quota = now;
        }
        self.quota
    }

    fn throttled(&mut self) -> Option<u64> {
        let mut buffer = [0; LONGEST];
        if let Ok(now) = read(&self.stat, &mut buffer) {
            let mut lines = now.unwrap_or_default().lines();
            self.throttled =
                lines.find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok());
        }
        self.throttled
    }
}

impl Bound {
    fn quota(&self) -> io::Result<Option<f64>> {
        let mut buffers = [[0; LONGEST]; 2];
        let [first, second] = &mut buffers;
        let of_texts = match self {
            Self::V1 { quota, period } => read(quota, first)?.zip(read(period, second)?),
            Self::V2 { max } => read(max, first)?.and_then(|max| max.trim().split_once(' ')),
        };
        // Only a positive number is a bound; `max` and -1 mean that there is none.
        let positive = |text: &str| text.trim().parse().ok().filter(|n: &f64| *n > 0.0);
        Ok(of_texts.and_then(|(quota, period)| Some(positive(quota)? / positive(period)?)))
    }
}

/// The text of a file that fits the buffer; `None` if there is no such file, or no such text in it.
fn read<'a>(path: &Path, buffer: &'a mut [u8; LONGEST]) -> io::Result<Option<&'a str>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut length = 0;
    while length < LONGEST {
        match file.read(&mut buffer[length..])? {
            0 => return Ok(str::from_utf8(&buffer[..length]).ok()),
            more => length += more,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::Tree;
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
                      38 31 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_tightest_quota_on_the_way_up_counts() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/kube/pod/app\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/kube/pod/app/cpu.max", "800000 100000\n")
            .file("sys/fs/cgroup/kube/pod/cpu.max", "350000 100000\n")
            .file("sys/fs/cgroup/kube/cpu.max", "max 100000\n")
            .file("sys/fs/cgroup/kube/pod/cpuset.cpus.effective", "4-11\n");
        let cpus = CpuSet::parse("4-11").ok();
        assert_eq!(limits(tree.path()), Limits { quota: Some(3.5), cpus });
    }

    #[test]
    fn a_namespace_shows_its_own_group_as_the_root() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/cpu.max", "50000 100000\n");
        assert_eq!(limits(tree.path()), Limits { quota: Some(0.5), cpus: None });
    }

    #[test]
    fn the_first_version_is_read_where_it_has_the_controller() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "4:cpu,cpuacct:/a/b\n3:cpuset:/a\n1:name=systemd:/\n0::/\n")
            .file("proc/self/mountinfo", V1)
            .file("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n")
            .file("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n")
            .file("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "200000\n")
            .file("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
            .file("sys/fs/cgroup/cpuset/a/cpuset.effective_cpus", "0-3,8\n");
        let cpus = CpuSet::parse("0-3,8").ok();
        assert_eq!(limits(tree.path()), Limits { quota: Some(2.0), cpus });
    }

    #[test]
    fn a_container_sees_only_the_part_that_is_mounted() {
        let part = "31 23 0:28 /docker/abc /sys/fs/my\\040groups/cpu ro - cgroup cgroup rw,cpu\n";
        let tree = Tree::new()
            .file("proc/self/cgroup", "4:cpu:/docker/abc\n")
            .file("proc/self/mountinfo", part)
            .file("sys/fs/my groups/cpu/cpu.cfs_quota_us", "150000\n")
            .file("sys/fs/my groups/cpu/cpu.cfs_period_us", "100000\n");
        assert_eq!(limits(tree.path()), Limits { quota: Some(1.5), cpus: None });
    }

    #[test]
    fn of_several_mounts_the_one_that_shows_the_group_counts() {
        for first in ["/../..", "/system.slice/x", "/ap"] {
            let mounts = format!("9 1 0:26 {first} /host/cgroup rw - cgroup2 cgroup2 rw\n{V2}");
            let tree = Tree::new()
                .file("proc/self/cgroup", "0::/app\n")
                .file("proc/self/mountinfo", &mounts)
                .file("host/cgroup/cpu.max", "900000 100000\n")
                .file("sys/fs/cgroup/app/cpu.max", "50000 100000\n");
            assert_eq!(limits(tree.path()).quota, Some(0.5), "{first}");
        }
        let mounts = "8 1 0:28 /docker/abc /bound rw - cgroup cgroup rw,cpu\n\
                      9 1 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let tree = Tree::new()
            .file("proc/self/cgroup", "4:cpu:/user\n")
            .file("proc/self/mountinfo", mounts)
            .file("bound/cpu.cfs_quota_us", "10000\n")
            .file("bound/cpu.cfs_period_us", "100000\n");
        assert_eq!(limits(tree.path()).quota, None);
    }

    #[test]
    fn what_cannot_be_read_sets_no_bound() {
        for (cgroup, mountinfo, max) in [
            ("", "", ""),
            ("0::/\n", V2, ""),
            ("0::/\n", V2, "max"),
            ("0::/\n", V2, "x y\n"),
            ("0::/\n", V2, "0 100000\n"),
            ("0::/\n", V2, "100000 0\n"),
            ("0\n::\n", "- cgroup2\n", "1 1"),
        ] {
            let tree = Tree::new()
                .file("proc/self/cgroup", cgroup)
                .file("proc/self/mountinfo", mountinfo)
                .file("sys/fs/cgroup/cpu.max", max);
            assert_eq!(limits(tree.path()), Limits::default(), "{cgroup:?} {max:?}");
        }
        assert_eq!(limits(Tree::new().path()), Limits::default());
    }

    fn files(tree: &Tree) -> QuotaFiles {
        let mut files = QuotaFiles::find(tree.path(), String::new());
        assert_eq!(files.follow_process(), !files.memberships.is_empty());
        files
    }

    #[test]
    fn every_group_on_the_way_up_counts_its_stops() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/pod/app\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/pod/app/cpu.stat", "usage_usec 9\nnr_periods 8\nnr_throttled 3\n")
            .file("sys/fs/cgroup/pod/cpu.stat", "nr_periods 8\nnr_throttled 4\nthrottled_usec 1\n");
        assert_eq!(files(&tree).throttled(), Some(7));
        assert_eq!(files(&Tree::new()).throttled(), None);
    }

    #[test]
    fn a_bound_that_changes_is_read_again_on_every_floor() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/pod/app\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/pod/app/cpu.max", "max 100000\n")
            .file("sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
        let mut files = files(&tree);
        assert_eq!(files.quota(), Some(2.0));
        let tree = tree.file("sys/fs/cgroup/pod/cpu.max", "50000 100000\n");
        assert_eq!(files.quota(), Some(0.5));
        let tree = tree.file("sys/fs/cgroup/pod/app/cpu.max", "25000 100000\n");
        assert_eq!(files.quota(), Some(0.25));
        let tree = tree.file("sys/fs/cgroup/pod/app/cpu.max", "400000 100000\n");
        let _tree = tree.file("sys/fs/cgroup/pod/cpu.max", "max 100000\n");
        assert_eq!(files.quota(), Some(4.0));
    }

    #[test]
    fn what_was_read_stands_while_a_file_cannot_be_read() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/cpu.max", "50000 100000\n")
            .file("sys/fs/cgroup/cpu.stat", "nr_throttled 3\n");
        let mut files = files(&tree);
        let read = |files: &mut QuotaFiles| (files.quota(), files.throttled());
        assert_eq!(read(&mut files), (Some(0.5), Some(3)));
        // A directory opens, and cannot be read.
        for name in ["sys/fs/cgroup/cpu.max", "sys/fs/cgroup/cpu.stat"] {
            fs::remove_file(tree.path().join(name)).expect("it is there");
            fs::create_dir(tree.path().join(name)).expect("it was removed");
        }
        assert_eq!(read(&mut files), (Some(0.5), Some(3)));
        for name in ["sys/fs/cgroup/cpu.max", "sys/fs/cgroup/cpu.stat"] {
            fs::remove_dir(tree.path().join(name)).expect("it is there");
        }
        assert_eq!(read(&mut files), (None, None), "the group has no quota any more");
    }

    #[test]
    fn a_process_that_moves_has_the_bound_of_its_new_group() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/one\n")
            .file("proc/self/mountinfo", V2)
            .file("sys/fs/cgroup/one/cpu.max", "100000 100000\n")
            .file("sys/fs/cgroup/two/cpu.max", "300000 100000\n");
        let mut files = files(&tree);
        assert_eq!(files.quota(), Some(1.0));
        let _tree = tree.file("proc/self/cgroup", "0::/two\n");
        assert!(files.follow_process());
        assert_eq!(files.quota(), Some(3.0));
    }

    #[test]
    fn a_file_of_any_length_is_read_or_refused() {
        let zeros = |n: usize| format!("{}1 1", "0".repeat(n));
        for (length, quota) in [(100, Some(1.0)), (LONGEST, None)] {
            let tree = Tree::new()
                .file("proc/self/cgroup", "0::/\n")
                .file("proc/self/mountinfo", V2)
                .file("sys/fs/cgroup/cpu.max", &zeros(length));
            assert_eq!(files(&tree).quota(), quota, "{length} zeros");
        }
    }
}
