//! The limits that control groups set for the process: a quota of CPU time, and a set of CPUs.
//!
//! Reads both versions of control groups, wherever `mountinfo` says that they are mounted. Every
//! group from the process's own up to the root counts, since each may set a bound of its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::CpuSet;

/// What the groups allow; `None` where they set no bound or cannot be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// CPU time per wall time, such as 3.5.
    pub(crate) quota: Option<f64>,
    pub(crate) cpus: Option<CpuSet>,
}

/// One mounted hierarchy, and the place of the process in it.
struct Hierarchy {
    is_v2: bool,
    /// The folder of the process's own group, then its parents up to the mount.
    groups: Vec<PathBuf>,
}

/// The limits of the calling process; `root` is `/` except in tests.
pub(crate) fn limits(root: &Path) -> Limits {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let memberships = read("proc/self/cgroup");
    let mounts = read("proc/self/mountinfo");
    let find = |controller| hierarchy(root, &memberships, &mounts, controller);
    Limits {
        quota: find("cpu").and_then(|hierarchy| quota(&hierarchy)),
        cpus: find("cpuset").and_then(|hierarchy| cpus(&hierarchy)),
    }
}

/// The hierarchy of a controller: one of version 1 that names it, or else the one of version 2.
fn hierarchy(root: &Path, memberships: &str, mounts: &str, controller: &str) -> Option<Hierarchy> {
    let names = |list: &str| list.split(',').any(|name| name == controller);
    // `4:cpu,cpuacct:/group`, and `0::/group` for version 2.
    let membership = |is_wanted: &dyn Fn(&str) -> bool| {
        memberships.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            is_wanted(controllers).then_some(group)
        })
    };
    let v1 = || {
        let group = membership(&|controllers| names(controllers))?;
        Some((false, group, nearest_mount(mounts, "cgroup", &names, group)?))
    };
    let v2 = || {
        let group = membership(&str::is_empty)?;
        Some((true, group, nearest_mount(mounts, "cgroup2", &|_| true, group)?))
    };
    let (is_v2, group, (mounted, at)) = v1().or_else(v2)?;
    // In a container only a part of the tree may be mounted, and groups above it are not visible.
    let below = Path::new(group).strip_prefix(&mounted).unwrap_or(Path::new(""));
    let top = root.join(at.strip_prefix("/").unwrap_or(&at));
    let groups = top
        .join(below)
        .ancestors()
        .take_while(|group| group.starts_with(&top))
        .map(Path::to_path_buf)
        .collect();
    Some(Hierarchy { is_v2, groups })
}

/// The mount whose root is the nearest to the group. A hierarchy may be mounted several times, and
/// some mounts may show other parts of it. If no mount shows the group, the last one is taken.
fn nearest_mount(
    mounts: &str,
    kind: &str,
    options_fit: &dyn Fn(&str) -> bool,
    group: &str,
) -> Option<(String, PathBuf)> {
    let depth = |root: &str| {
        let fits = Path::new(group).starts_with(root);
        fits.then(|| Path::new(root).components().count())
    };
    let fitting = mounts.lines().filter_map(|line| mount(line, kind, options_fit));
    fitting.max_by_key(|(root, _)| depth(root))
}

/// Parses a line of `mountinfo`. If it is for a hierarchy of this type, returns which part of it
/// is mounted, and where.
fn mount(line: &str, kind: &str, options_fit: &dyn Fn(&str) -> bool) -> Option<(String, PathBuf)> {
    // `31 23 0:28 /part /sys/fs/cgroup/cpu rw shared:5 - cgroup cgroup rw,cpu`
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    if right.next() != Some(kind) || !options_fit(right.nth(1)?) {
        return None;
    }
    let mut left = left.split(' ').skip(3).map(unescape);
    Some((left.next()?, left.next()?.into()))
}

/// `mountinfo` writes blanks, tabs, line feeds and backslashes in octal.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn quota(hierarchy: &Hierarchy) -> Option<f64> {
    let of_group = |group: &PathBuf| {
        let read = |file| fs::read_to_string(group.join(file)).ok();
        let (quota, period) = if hierarchy.is_v2 {
            let max = read("cpu.max")?;
            let (quota, period) = max.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        } else {
            (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
        };
        // Only a positive number is a bound; `max` and -1 mean that there is none.
        let positive = |text: &str| text.trim().parse().ok().filter(|n: &f64| *n > 0.0);
        Some(positive(&quota)? / positive(&period)?)
    };
    hierarchy.groups.iter().filter_map(of_group).min_by(f64::total_cmp)
}

/// The set of the nearest group that has one: the kernel has applied the parents' bounds to it.
fn cpus(hierarchy: &Hierarchy) -> Option<CpuSet> {
    let file = if hierarchy.is_v2 { "cpuset.cpus.effective" } else { "cpuset.effective_cpus" };
    let read = |group: &PathBuf| fs::read_to_string(group.join(file)).ok();
    hierarchy.groups.iter().find_map(|group| CpuSet::parse(read(group)?.trim()).ok())
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::Tree;
    use super::{Limits, limits};
    use crate::topology::CpuSet;

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
}
