//! The rooms of the library: which may name which, how large each is, and how its files hang
//! together. `ARCHITECTURE.md` says what each of them owns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::modules::Modules;

/// The rooms of the runtime by floor. A room names rooms of lower floors, and none of its own.
pub(crate) const FLOORS: &[&[&str]] = &[
    &["error", "panics", "sync", "text"],
    &["boundary", "executor", "metrics", "pool", "scheduler", "time", "topology"],
    &["bridge"],
    &["config"],
    &["core"],
    &["guest"],
    &["threads"],
    &["call"],
    &["learned", "local", "observe"],
    &["runtime"],
    &["dashboard", "fleet", "plugin_host", "tower"],
    &["plugin"],
    &["lib", "private", "docs"],
];
/// Files that name one another in a circle, and why they have to.
pub(crate) const CIRCLES: &[(&[&str], &str)] = &[
    (
        &["bridge/complete.rs", "bridge/slot.rs"],
        "a slot is made with a table of the functions that act on it",
    ),
    (
        &["executor/task/header.rs", "executor/task/shared.rs"],
        "a task knows its executor, and that one has queues of tasks",
    ),
    (
        &["plugin_host/hosted.rs", "plugin_host/plugins.rs"],
        "a handle enters itself into the list that tells it of the end",
    ),
    (
        &["time/clock.rs", "time/control.rs"],
        "a clock of a test moves its control on, which makes such clocks",
    ),
];
/// A circle of more files is not understood by reading one of them.
const LARGEST_CIRCLE: usize = 4;
const LONGEST_FILE: usize = 400;
/// No room has more than this share of the lines: one in so many.
const SMALLEST_SHARE: usize = 4;

/// What is checked of a crate.
pub(crate) struct House<'a> {
    pub(crate) root: &'a str,
    pub(crate) files: &'a BTreeMap<String, String>,
    pub(crate) circles: &'a [(&'a [&'a str], &'a str)],
}

impl House<'_> {
    /// Arrows that do not go down, rooms without a floor, and circles of rooms.
    pub(crate) fn arrows(&self, floors: &[&[&str]]) -> Vec<String> {
        let modules = Modules::read(self.root, self.files);
        let floor = |room: &str| floors.iter().position(|floor| floor.contains(&room));
        let mut breaches = BTreeSet::new();
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, module) in &modules.all {
            let own = room(&module.file);
            let Some(height) = floor(&own) else {
                breaches.insert(format!("{}: room `{own}` is on no floor", module.file));
                continue;
            };
            for to in modules.named_by(from) {
                let to = &modules.all[to].file;
                let other = room(to);
                if other != own && floor(&other).is_none_or(|other| other >= height) {
                    breaches.insert(format!(
                        "{} names an item of {to}, which is not below",
                        module.file
                    ));
                }
                rooms.entry(own.clone()).or_default().insert(other);
            }
        }
        for circle in circles(&rooms) {
            breaches.insert(format!("rooms name one another in a circle: {}", circle.join(", ")));
        }
        breaches.into_iter().collect()
    }

    /// Circles of files within a room that are too large, or not listed with their reason; and
    /// listed ones that are no more.
    pub(crate) fn circles(&self) -> Vec<String> {
        let found = self.circles_of_files();
        let sorted = |circle: &[&str]| {
            let mut circle: Vec<_> = circle.iter().map(|file| (*file).to_owned()).collect();
            circle.sort();
            circle
        };
        let listed: BTreeSet<_> = self.circles.iter().map(|(circle, _)| sorted(circle)).collect();
        let mut breaches = Vec::new();
        for circle in &found {
            if circle.len() > LARGEST_CIRCLE {
                breaches.push(format!("a circle of {} files: {}", circle.len(), circle.join(", ")));
            } else if !listed.contains(circle) {
                breaches.push(format!("a circle that is not listed: {}", circle.join(", ")));
            }
        }
        for circle in listed.iter().filter(|circle| !found.contains(circle)) {
            breaches.push(format!("listed, and no circle: {}", circle.join(", ")));
        }
        let idle = self.circles.iter().filter(|(_, reason)| reason.is_empty());
        breaches.extend(idle.map(|(circle, _)| format!("a circle without a reason: {circle:?}")));
        breaches
    }

    fn circles_of_files(&self) -> Vec<Vec<String>> {
        let modules = Modules::read(self.root, self.files);
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, module) in &modules.all {
            let named = files.entry(module.file.clone()).or_default();
            for to in modules.named_by(from) {
                let file = &modules.all[to].file;
                if *file != module.file {
                    named.insert(file.clone());
                }
            }
        }
        circles(&files)
    }

    /// Files that are too long, and rooms that are too large.
    pub(crate) fn sizes(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let mut rooms: BTreeMap<String, usize> = BTreeMap::new();
        for (file, text) in self.files {
            let lines = text.lines().count();
            if lines > LONGEST_FILE {
                breaches.push(format!("{file}: {lines} lines"));
            }
            *rooms.entry(room(file)).or_default() += lines;
        }
        let all: usize = rooms.values().sum();
        for (room, lines) in rooms {
            if lines * SMALLEST_SHARE > all {
                breaches.push(format!("room `{room}` has {lines} of {all} lines"));
            }
        }
        breaches
    }
}

/// The room of a file: its folder, or its own name.
fn room(file: &str) -> String {
    file.split(['/', '.']).next().unwrap_or(file).to_owned()
}

/// Sets of nodes that reach one another, of more than one node each.
fn circles<N: Ord + Clone + Debug>(arrows: &BTreeMap<N, BTreeSet<N>>) -> Vec<Vec<N>> {
    let reached = |from: &N| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&N> = arrows.get(from).into_iter().flatten().collect();
        while let Some(node) = next.pop() {
            if reached.insert(node) {
                next.extend(arrows.get(node).into_iter().flatten());
            }
        }
        reached
    };
    let all: BTreeMap<&N, BTreeSet<&N>> = arrows.keys().map(|node| (node, reached(node))).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (node, below) in &all {
        if seen.contains(*node) || !below.contains(*node) {
            continue;
        }
        let both = |other: &&&N| all.get(**other).is_some_and(|above| above.contains(*node));
        let circle: Vec<N> = below.iter().filter(both).map(|node| (*node).clone()).collect();
        seen.extend(circle.iter().cloned());
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}
