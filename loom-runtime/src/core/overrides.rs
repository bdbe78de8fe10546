//! The overrides of one runtime, and which of them apply to a function.
//!
//! A function keeps what applies to it in one word, with the number of the change at which that was
//! found out. So a call reads two words, and only the first one after a change takes the lock.

use crate::bridge::Priority;
use crate::config::Override;
use crate::error::Source;
use crate::scheduler::{ComputeHint, Mode, Site};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, PoisonError, RwLock};

/// An override for the functions of a name.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The path, the full name or the given name of a function, `path::*`, or `*`.
    pub(crate) name: String,
    pub(crate) over: Override,
    pub(crate) source: Source,
    /// A function of that name was called, or it was said that another name may be meant.
    is_settled: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// At most one rule for each name.
    rules: RwLock<Vec<Arc<Rule>>>,
    /// How often they have changed.
    changes: AtomicU32,
}

/// What applies to one function: the number of changes then, and the override, packed. `Relaxed`: a
/// thread that sees an old word finds the change at one of its next calls.
#[derive(Debug, Default)]
pub(crate) struct Applied(AtomicU64);

impl Rule {
    pub(crate) fn new(name: &str, over: Override, source: Source) -> Arc<Self> {
        let is_settled = AtomicBool::new(false);
        Arc::new(Self { name: name.to_owned(), over, source, is_settled })
    }

    /// Whether the rule applies to a function, or would if a closer one did not.
    pub(crate) fn names(&self, site: &Site) -> bool {
        self.rank(site.path(), site.name()).is_some()
    }

    /// Whether the path may be meant: the last segments differ by a letter or two, or the modules do.
    fn is_near(&self, path: &str) -> bool {
        let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
        let (own, other) = (last(&self.name), last(path));
        let most = if own.len() < 4 { 0 } else { 2 };
        self.is_exact() && strsim::damerau_levenshtein(&own, &other) <= most
    }

    /// How closely the rule names a function; `None` if it does not.
    fn rank(&self, path: &str, name: &str) -> Option<usize> {
        if self.name == name {
            return Some(usize::MAX);
        }
        // A given name has the types of an instance behind it.
        let types = name.strip_prefix(self.name.as_str()).unwrap_or_default();
        if self.name == path || types.starts_with(" (") {
            return Some(usize::MAX - 1);
        }
        let above = self.name.strip_suffix('*')?;
        // A path has no types, so only the name of a method is below its type.
        let is_below = above.ends_with("::") && [path, name].iter().any(|it| it.starts_with(above));
        (above.is_empty() || is_below).then_some(above.len())
    }

    pub(crate) fn is_exact(&self) -> bool {
        !self.name.ends_with('*')
    }
}

impl Overrides {
    /// Sets the rule of a name. One that asks for nothing removes it.
    pub(crate) fn set(&self, rule: Arc<Rule>) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|other| other.name != rule.name);
        if !rule.over.is_none() {
            rules.push(rule);
        }
        // Within the lock: who sees the new number takes the lock after this thread.
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// The override of exactly this name.
    #[cfg(feature = "dashboard")]
    pub(crate) fn named(&self, name: &str) -> Override {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.iter().find(|rule| rule.name == name).map_or(Override::none(), |rule| rule.over)
    }

    /// What applies to a function. `near` is told of a rule that names no function, but nearly this one.
    #[inline]
    pub(crate) fn of(&self, site: &Site, applied: &Applied, near: fn(&Rule, &str)) -> Override {
        let word = applied.0.load(Ordering::Relaxed);
        if word >> 32 == u64::from(self.changes.load(Ordering::Relaxed)) {
            return unpacked(word);
        }
        self.find(site, applied, near)
    }

    #[cold]
    fn find(&self, site: &Site, applied: &Applied, near: fn(&Rule, &str)) -> Override {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let (path, name) = (site.path(), site.name());
        let mut ranked: Vec<_> =
            rules.iter().filter_map(|rule| Some((rule.rank(path, name)?, rule.over))).collect();
        for rule in &*rules {
            let names = rule.names(site);
            let settles = names || rule.is_near(path);
            if settles && !rule.is_settled.swap(true, Ordering::Relaxed) && !names {
                near(rule, path);
            }
        }
        // The closest rule that asks for something decides on that.
        ranked.sort_by_key(|(rank, _)| *rank);
        let over = ranked.iter().fold(Override::none(), |found, (_, over)| Override {
            mode: over.mode.or(found.mode),
            hint: over.hint.or(found.hint),
            priority: over.priority.or(found.priority),
            max_concurrent: over.max_concurrent.or(found.max_concurrent),
        });
        let changes = u64::from(self.changes.load(Ordering::Relaxed));
        applied.0.store(changes << 32 | packed(over), Ordering::Relaxed);
        over
    }
}

/// Where the limit begins, which has the rest of 32 bits. Each other part has four; 0 is none.
const LIMIT: u32 = 12;

fn packed(over: Override) -> u64 {
    let part = |at: Option<usize>, shift: u32| at.map_or(0, |at| (at as u64 + 1) << shift);
    let mode = over.mode.and_then(|mode| Mode::ALL.iter().position(|known| *known == mode));
    let hint = over.hint.and_then(|hint| ComputeHint::ALL.iter().position(|known| *known == hint));
    let priority = over.priority.and_then(|it| Priority::ALL.iter().position(|known| *known == it));
    // `config` allows no limit that needs more than 20 bits.
    let limit = u64::from(over.max_concurrent.unwrap_or(0).min((1 << 20) - 1));
    part(mode, 0) | part(hint, 4) | part(priority, 8) | limit << LIMIT
}

fn unpacked(word: u64) -> Override {
    let part =
        |shift: u32| (word >> shift & 0xf).checked_sub(1).and_then(|at| usize::try_from(at).ok());
    let mut over = Override::none();
    over.mode = part(0).and_then(|at| Mode::ALL.get(at).copied());
    over.hint = part(4).and_then(|at| ComputeHint::ALL.get(at).copied());
    over.priority = part(8).and_then(|at| Priority::ALL.get(at).copied());
    let limit = u32::try_from((word & u64::from(u32::MAX)) >> LIMIT).unwrap_or(0);
    over.max_concurrent = (limit > 0).then_some(limit);
    over
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_a_path_a_module_or_all() {
        let ranks = |name: &str| {
            let rule = Rule::new(name, Mode::Inline.into(), Source::Code);
            [("shop::image::shrink", "shop::image::shrink<u8>"), ("shop::imagery::x", "y")]
                .map(|(path, name)| rule.rank(path, name).is_some())
        };
        assert_eq!(ranks("*"), [true, true]);
        assert_eq!(ranks("shop::*"), [true, true]);
        assert_eq!(ranks("shop::image::*"), [true, false]);
        assert_eq!(ranks("shop::image*"), [false, false]);
        assert_eq!(ranks("shop::image::shrink"), [true, false]);
        assert_eq!(ranks("shop::image::shrink<u8>"), [true, false]);
        assert_eq!(ranks("y"), [false, true]);
    }

    #[test]
    fn a_full_name_is_closer_than_a_path_and_a_type_than_its_module() {
        let rank = |name: &str, of: [&str; 2]| {
            Rule::new(name, Mode::Inline.into(), Source::Code).rank(of[0], of[1])
        };
        let method = ["shop::count", "shop::Index::count"];
        let ranks = ["*", "shop::*", "shop::Index::*", "shop::count", "shop::Index::count"]
            .map(|name| rank(name, method).expect("it names the method"));
        assert!(ranks.is_sorted_by(|wide, close| wide < close), "{ranks:?}");
        assert_eq!(rank("shop::Cart::*", method), None);
        let given = ["shop::digest", "digest (shop::digest<u8>)"];
        assert!(rank("digest", given) < rank("digest (shop::digest<u8>)", given));
        assert!(rank("digest", given).is_some() && rank("dig", given).is_none());
    }

    #[test]
    fn a_misspelled_name_is_near() {
        let is_near = |name: &str| {
            Rule::new(name, Mode::Inline.into(), Source::Code).is_near("shop::image::shrink")
        };
        assert!(is_near("shop::image::shrnik") && is_near("shrink") && is_near("shop::shrink"));
        assert!(!is_near("shop::image::grow") && !is_near("shop::image::*"));
    }

    #[test]
    fn a_word_holds_every_override() {
        for mode in Mode::ALL.map(Some).into_iter().chain([None]) {
            for hint in ComputeHint::ALL.map(Some).into_iter().chain([None]) {
                for priority in Priority::ALL.map(Some).into_iter().chain([None]) {
                    for max_concurrent in [None, Some(1), Some(1_000_000)] {
                        let mut over = Override::none();
                        (over.mode, over.hint, over.priority) = (mode, hint, priority);
                        over.max_concurrent = max_concurrent;
                        assert_eq!(unpacked(7 << 32 | packed(over)), over);
                    }
                }
            }
        }
    }
}
