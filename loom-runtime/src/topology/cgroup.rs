//! Where the control groups of the process are.
//!
//! Finds both versions of control groups, wherever `mountinfo` says that they are mounted. Every
//! group from the process's own up to the root counts, since each may set a bound of its own.

use std::fs;
use std::path::{Path, PathBuf};

/// The file in which the kernel names the process's groups.
pub(super) const MEMBERSHIPS: &str = "proc/self/cgroup";

/// One mounted hierarchy, and the place of the process in it.
pub(super) struct Hierarchy {
    pub(super) is_v2: bool,
    /// The folder of the process's own group, then its parents up to the mount.
    pub(super) groups: Vec<PathBuf>,
}

/// The hierarchy of a controller: one of version 1 that names it, or else the one of version 2.
pub(super) fn hierarchy(root: &Path, memberships: &str, controller: &str) -> Option<Hierarchy> {
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
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
        Some((false, group, nearest_mount(&mounts, "cgroup", &names, group)?))
    };
    let v2 = || {
        let group = membership(&str::is_empty)?;
        Some((true, group, nearest_mount(&mounts, "cgroup2", &|_| true, group)?))
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
