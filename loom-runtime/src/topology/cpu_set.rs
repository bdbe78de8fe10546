//! A set of CPUs, and its text form, a list such as `0-3,8`.

use std::fmt;

/// Far above any kernel's limit; a greater number is a typing error.
const HIGHEST: usize = 65_535;

/// CPU numbers in ascending order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuSet(Vec<usize>);

impl CpuSet {
    /// Reads a list of numbers and ranges, as the kernel writes them. The error names the part that
    /// is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("expected CPU numbers and ranges such as `0-3,8`".to_owned());
        }
        let mut is_in = Vec::new();
        for part in text.split(',').map(str::trim) {
            let ends = match part.split_once('-') {
                Some((first, last)) => number(first).zip(number(last)),
                None => number(part).map(|cpu| (cpu, cpu)),
            };
            let Some((first, last)) = ends else {
                return Err(format!(
                    "expected CPU numbers and ranges such as `0-3,8`, and `{part}` is neither"
                ));
            };
            if last < first {
                return Err(format!("expected ranges in ascending order: `{last}-{first}`"));
            }
            if last > HIGHEST {
                return Err(format!("expected CPUs 0 to {HIGHEST}, found {last}"));
            }
            is_in.resize(is_in.len().max(last + 1), false);
            is_in[first..=last].fill(true);
        }
        Ok((0..is_in.len()).filter(|cpu| is_in[*cpu]).collect())
    }

    pub(crate) fn as_slice(&self) -> &[usize] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, cpu: usize) -> bool {
        self.0.binary_search(&cpu).is_ok()
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.0.iter().copied().filter(|cpu| other.contains(*cpu)).collect()
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|cpu| other.contains(*cpu))
    }
}

/// A CPU number of digits only, so that `+3` is refused. A number that overflows counts as
/// `usize::MAX`, which is above every limit.
fn number(text: &str) -> Option<usize> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

impl FromIterator<usize> for CpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        let mut cpus: Vec<usize> = cpus.into_iter().collect();
        cpus.sort_unstable();
        cpus.dedup();
        Self(cpus)
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a + 1 == *b);
        for (i, run) in runs.enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match *run {
                [one] => write!(f, "{one}")?,
                [first, .., last] => write!(f, "{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::CpuSet;

    #[test]
    fn a_set_prints_as_a_list_of_ranges() {
        let set: CpuSet = [8, 0, 1, 3, 2, 1].into_iter().collect();
        assert_eq!(set.to_string(), "0-3,8");
        assert_eq!(set.as_slice(), [0, 1, 2, 3, 8]);
        assert_eq!(CpuSet::default().to_string(), "");
    }

    #[test]
    fn a_list_that_is_none_is_refused_with_the_part_that_is_wrong() {
        let error = |list| CpuSet::parse(list).expect_err("it is no list");
        let form = "expected CPU numbers and ranges such as `0-3,8`";
        assert_eq!(error(""), form);
        assert_eq!(error("  "), form);
        for (list, part) in [
            ("0-", "0-"),
            ("-3", "-3"),
            ("0,,2", ""),
            ("all", "all"),
            ("0-3-5", "0-3-5"),
            ("1.5", "1.5"),
            ("+1", "+1"),
            ("0x3", "0x3"),
        ] {
            assert_eq!(error(list), format!("{form}, and `{part}` is neither"), "{list}");
        }
        assert_eq!(error("3-1"), "expected ranges in ascending order: `1-3`");
        assert_eq!(error("0-4000000000"), "expected CPUs 0 to 65535, found 4000000000");
        let most = format!("expected CPUs 0 to 65535, found {}", usize::MAX);
        assert_eq!(error("0-99999999999999999999"), most);
    }

    #[test]
    fn blanks_and_repetitions_are_allowed() {
        let set = CpuSet::parse(" 8, 0 - 3 ,2 ").expect("a list");
        assert_eq!(set.to_string(), "0-3,8");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(cpus in prop::collection::vec(0_usize..5000, 1..100)) {
            let set: CpuSet = cpus.into_iter().collect();
            prop_assert_eq!(CpuSet::parse(&set.to_string()), Ok(set));
        }

        #[test]
        fn an_intersection_holds_what_both_hold(
            a in prop::collection::vec(0_usize..50, 0..50),
            b in prop::collection::vec(0_usize..50, 0..50),
        ) {
            let (a, b): (CpuSet, CpuSet) = (a.into_iter().collect(), b.into_iter().collect());
            let both = a.intersection(&b);
            prop_assert!(both.is_subset(&a) && both.is_subset(&b));
            prop_assert!((0..50).all(|cpu| both.contains(cpu) == (a.contains(cpu) && b.contains(cpu))));
        }
    }
}
