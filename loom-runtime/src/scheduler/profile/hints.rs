//! What profiles tell of functions: the hint that fits each, and what has changed between two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::ComputeHint;
use super::{Key, Learned, Profile, Sizes, rounded, time};

impl Profile {
    /// The hint that fits what was learned, by path. If functions share a path, or one has several
    /// sizes of input, the one with most calls decides, and among equals the longest mean.
    pub(crate) fn hints(&self) -> BTreeMap<&str, ComputeHint> {
        let mut usual: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
        for learned in self.0.values() {
            let (of_line, known) =
                ((learned.calls, learned.mean()), usual.entry(&learned.path).or_default());
            if of_line > *known {
                *known = of_line;
            }
        }
        usual.into_iter().map(|(path, (_, mean))| (path, hint(mean))).collect()
    }

    /// What is different in another profile: a line for each function that has come, gone, or changed by a
    /// quarter or more.
    pub(crate) fn changes_to(&self, other: &Self) -> String {
        let names: BTreeSet<&Key> = self.0.keys().chain(other.0.keys()).collect();
        let mut lines = String::new();
        for key in names {
            let [old, new] = [self, other].map(|profile| profile.0.get(key).map(Learned::mean));
            let said = match (old, new) {
                (Some(old), Some(new)) if old.max(new) < old.min(new) * 1.25 => continue,
                (Some(old), Some(new)) => {
                    let hints = [old, new].map(|mean| format!("{:?}", hint(mean)).to_lowercase());
                    let hints = if hints[0] == hints[1] {
                        String::new()
                    } else {
                        format!(", hint {} -> {}", hints[0], hints[1])
                    };
                    let by = new / old;
                    format!("{} -> {} (x{by:.2}){hints}", time(rounded(old)), time(rounded(new)))
                }
                (Some(old), None) => format!("{} -> no calls", time(rounded(old))),
                (None, Some(new)) => format!("no calls -> {}", time(rounded(new))),
                (None, None) => continue,
            };
            let (name, sizes) = key;
            // A write to a string does not fail.
            let _ = writeln!(lines, "{name} | {} | {said}", Sizes(*sizes));
        }
        lines
    }
}

impl Learned {
    /// The mean run time, in nanoseconds.
    fn mean(&self) -> f64 {
        self.parts.iter().map(|(share, nanos)| share * nanos).sum()
    }
}

/// The hint for a call that takes `nanos` nanoseconds.
fn hint(nanos: f64) -> ComputeHint {
    /// A call is `medium` from the first on and `high` above the second, as in [`ComputeHint`].
    const MEDIUM: f64 = 50e3;
    const HIGH: f64 = 500e3;
    if nanos > HIGH {
        ComputeHint::High
    } else if nanos >= MEDIUM {
        ComputeHint::Medium
    } else {
        ComputeHint::Low
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn the_usual_size_decides_on_the_hint() {
        let mut profile = Profile::default();
        let learn = |profile: &mut Profile, size: u64, nanos: f64, calls: u64| {
            profile.learn(("a", "a"), Some(&(size..=size)), &[(1.0, nanos)], calls);
        };
        learn(&mut profile, 8, 1.8e3, 90_000);
        learn(&mut profile, 1 << 20, 30e6, 40);
        assert_eq!(profile.hints()["a"], ComputeHint::Low);
        learn(&mut profile, 1 << 10, 80e3, 2_000_000);
        assert_eq!(profile.hints()["a"], ComputeHint::Medium);
        // Lines that do not count calls: the longest.
        let old = "a | a | 1..=1 | 100% 2us\na | a | 2..=2 | 100% 2ms\n";
        assert_eq!(Profile::parse(old).expect("it was right").hints()["a"], ComputeHint::High);
    }

    #[test]
    fn changes_are_told() {
        let profile = |lines: &str| Profile::parse(lines).expect("it is right");
        let old = profile(
            "gone | gone | any | 100% 1ms\nsame | same | any | 100% 100us\n\
             slow | slow | 4..=7 | 50% 20us, 50% 40us\n",
        );
        let new = profile(
            "come | come | any | 100% 1ms\nsame | same | any | 100% 120us\n\
             slow | slow | 4..=7 | 100% 60us\n",
        );
        assert_eq!(
            old.changes_to(&new),
            "come | any | no calls -> 1ms\ngone | any | 1ms -> no calls\n\
             slow | 4..=7 | 30us -> 60us (x2.00), hint low -> medium\n"
        );
        assert_eq!(old.changes_to(&old), "");
    }

    #[test]
    fn hints_go_by_the_mean() {
        let text = "<A as B>::a | shop::a | any | 100% 810us\nshop::b | shop::b | 4..=7 | 93% 5.2us, 7% 4.9ms\n";
        let profile = Profile::parse(text).expect("it is right");
        let hints: Vec<_> = profile.hints().into_iter().collect();
        assert_eq!(hints, [("shop::a", ComputeHint::High), ("shop::b", ComputeHint::Medium)]);
    }
}
