//! What one run of the demo has shown, as one process tells another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::{Answers, Load};

#[derive(Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) routes: Vec<Route>,
    pub(super) seconds: f64,
    /// The most memory that the process had, in bytes, where the system tells.
    pub(super) memory: Option<u64>,
    pub(super) functions: Vec<Function>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) answers: usize,
    /// In milliseconds; `None` without an answer.
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    /// Requests that were turned away with 503, as a service sheds load: no failure.
    pub(super) turned_away: u32,
    pub(super) failures: BTreeMap<String, u32>,
}

/// Where the calls of a function ran.
#[derive(Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) inline: u64,
    pub(super) offloaded: u64,
    /// What became of those on other processes, in words.
    pub(super) far: Option<String>,
}

impl Summary {
    pub(super) fn of(load: Load) -> Self {
        let functions = loom::functions().into_iter().map(|function| Function {
            name: function.name.to_owned(),
            inline: function.inline,
            offloaded: function.offloaded,
            far: (function.far.sent > 0).then(|| function.far.to_string()),
        });
        Self {
            routes: load.routes.into_iter().map(Route::of).collect(),
            seconds: load.took.as_secs_f64(),
            memory: load.memory,
            functions: functions.collect(),
        }
    }
}

impl Route {
    fn of((name, answers): (&'static str, Answers)) -> Self {
        let Answers { mut latencies, turned_away, failures } = answers;
        latencies.sort_unstable();
        let millis = |q| nearest_rank(&latencies, q).map(|it| it.as_secs_f64() * 1e3);
        let (p50, p99) = (millis(0.5), millis(0.99));
        Self { name: name.to_owned(), answers: latencies.len(), p50, p99, turned_away, failures }
    }
}

fn nearest_rank(sorted: &[Duration], q: f64) -> Option<Duration> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank within a slice"
    )]
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
