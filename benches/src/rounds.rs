//! Samples of every contender in every scenario. Rounds are interleaved, each sample is a process
//! of its own, and a sample is repeated if other programs used the machine meanwhile.

use std::error::Error;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use crate::machine::{self, Ticks};
use crate::statistics::{Estimate, median};

/// A sample counts as disturbed if other programs took more of the machine than this share.
const MOST_FOREIGN: f64 = 0.03;
/// One sample in this many may be repeated. So a busy machine makes figures worse, which the report
/// states, but does not make the bench endless.
const REPEATED: usize = 4;

/// How many rounds, and how often a disturbed sample is repeated at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) rounds: usize,
    pub(crate) most_repeats: usize,
}

impl Rounds {
    /// Rounds for real figures.
    pub(crate) fn of(rounds: usize) -> Self {
        Self { rounds, most_repeats: 4 }
    }

    /// One round, to check that the bench works.
    pub(crate) fn one() -> Self {
        Self { rounds: 1, most_repeats: 0 }
    }
}

/// One sample: its figures, and the share of the machine that other programs took meanwhile.
pub(crate) struct Sample<T> {
    pub(crate) seen: T,
    pub(crate) foreign: f64,
    /// Whether the measuring program was itself disturbed.
    pub(crate) is_spoilt: bool,
}

/// The samples of a bench.
pub(crate) struct Taken<T> {
    pub(crate) scenarios: Vec<&'static str>,
    pub(crate) contenders: Vec<&'static str>,
    /// `samples[scenario][contender]`, one sample per round.
    pub(crate) samples: Vec<Vec<Vec<Sample<T>>>>,
    rounds: usize,
    repeated: usize,
    disturbed: usize,
}

impl<T> Taken<T> {
    /// Takes one sample of each contender in each scenario, round after round, in an order that
    /// rotates. `sample` gets the scenario, the contender and the round.
    pub(crate) fn take(
        Rounds { rounds, most_repeats }: Rounds,
        scenarios: &[&'static str],
        contenders: &[&'static str],
        mut sample: impl FnMut(&str, &str, usize) -> Result<Sample<T>, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let row = || contenders.iter().map(|_| Vec::new()).collect();
        let mut samples: Vec<Vec<Vec<Sample<T>>>> = scenarios.iter().map(|_| row()).collect();
        let (mut repeated, mut disturbed) = (0, 0);
        let all = rounds * scenarios.len() * contenders.len();
        for round in 0..rounds {
            for (s, scenario) in scenarios.iter().enumerate() {
                for turn in 0..contenders.len() {
                    // The order of the contenders changes from round to round.
                    let c = (turn + round) % contenders.len();
                    let mut attempts = 0;
                    let taken = loop {
                        let taken = sample(scenario, contenders[c], round)?;
                        if taken.foreign <= MOST_FOREIGN && !taken.is_spoilt {
                            break taken;
                        }
                        if attempts == most_repeats || repeated >= all.div_ceil(REPEATED) {
                            disturbed += 1;
                            break taken;
                        }
                        attempts += 1;
                        repeated += 1;
                    };
                    samples[s][c].push(taken);
                }
            }
            eprintln!("round {} of {rounds}: {repeated} samples repeated so far", round + 1);
        }
        let (scenarios, contenders) = (scenarios.to_vec(), contenders.to_vec());
        Ok(Self { scenarios, contenders, samples, rounds, repeated, disturbed })
    }

    /// The method, in a sentence.
    pub(crate) fn how(&self) -> String {
        let plural = if self.rounds == 1 { "" } else { "s" };
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let range = if self.rounds < 6 { " Intervals of so few are their range." } else { "" };
        format!(
            "{} interleaved round{plural} on {cpus} CPUs, each sample with processes of its own; {} \
             samples repeated because they were disturbed, {} kept although they were.{range}",
            self.rounds, self.repeated, self.disturbed
        )
    }

    pub(crate) fn place(&self, contender: &str) -> Option<usize> {
        self.contenders.iter().position(|name| *name == contender)
    }

    pub(crate) fn scenario(&self, scenario: &str) -> Option<usize> {
        self.scenarios.iter().position(|name| *name == scenario)
    }

    /// The median of a figure over the rounds.
    pub(crate) fn median(&self, s: usize, c: usize, figure: impl Fn(&T) -> f64) -> f64 {
        let samples = self.samples[s][c].iter();
        median(&mut samples.map(|sample| figure(&sample.seen)).collect::<Vec<_>>())
    }

    /// The ratio of two contenders' figures, within each round.
    pub(crate) fn ratio(
        &self,
        s: usize,
        (ours, theirs): (usize, usize),
        figure: impl Fn(&T) -> f64,
    ) -> Estimate {
        let rounds = self.samples[s][ours].iter().zip(&self.samples[s][theirs]);
        let ratios: Vec<f64> = rounds.map(|(a, b)| figure(&a.seen) / figure(&b.seen)).collect();
        Estimate::of(&ratios)
    }

    /// The contender in `of` whose median of a figure is smallest.
    pub(crate) fn best(
        &self,
        s: usize,
        of: impl Iterator<Item = usize>,
        figure: impl Fn(&T) -> f64,
    ) -> Option<usize> {
        let value = |c: &usize| self.median(s, *c, &figure);
        of.filter(|c| value(c).is_finite()).min_by(|a, b| value(a).total_cmp(&value(b)))
    }
}

/// Runs this program with these arguments and parses its output as JSON.
pub(crate) fn in_a_process<T: DeserializeOwned>(
    arguments: &[&str],
) -> Result<Sample<T>, Box<dyn Error>> {
    let (before, own) = (Ticks::now()?, machine::children_ticks()?);
    let output =
        Command::new(std::env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`{}` failed: {}", arguments.join(" "), output.status).into());
    }
    let spent = machine::children_ticks()? - own;
    let foreign = Ticks::now()?.foreign_share(before, spent);
    Ok(Sample { seen: serde_json::from_slice(&output.stdout)?, foreign, is_spoilt: false })
}

/// A number of rounds, as an argument.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    let rounds = text.parse().map_err(|error| format!("expected a whole number: {error}"))?;
    if rounds == 0 { Err("expected at least one round".to_owned()) } else { Ok(rounds) }
}
