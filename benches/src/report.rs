//! The report of a bench: Markdown text with tables, the same figures as data, and plots.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::rounds::Taken;
use crate::statistics::Estimate;

/// One bench's part of the page, or its whole output.
#[derive(Default)]
pub(crate) struct Report {
    /// One sentence a line.
    pub(crate) markdown: String,
    pub(crate) data: serde_json::Map<String, Value>,
    /// Names of files, and their content.
    pub(crate) plots: Vec<(&'static str, String)>,
    /// Conditions that must hold on any machine, but do not.
    pub(crate) failures: Vec<String>,
}

impl Report {
    pub(crate) fn say(&mut self, sentence: &str) {
        // A text of several sentences gets one line for each.
        self.markdown.push_str(&sentence.replace(". ", ".\n"));
        self.markdown.push('\n');
    }

    /// An empty line, which Markdown needs around tables.
    pub(crate) fn pause(&mut self) {
        self.markdown.push('\n');
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.pause();
        self.markdown.push_str(&table.markdown());
        self.pause();
    }

    pub(crate) fn data(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.data.insert(name.to_owned(), value);
    }

    /// Adds a plot, which the text shows at this place.
    pub(crate) fn plot(&mut self, file: &'static str, what: &str, svg: String) {
        self.pause();
        self.say(&format!("![{what}]({file})"));
        self.pause();
        self.plots.push((file, svg));
    }

    /// Adds every sample, with the share of the machine that other programs took.
    pub(crate) fn samples<T: Serialize>(&mut self, name: &str, taken: &Taken<T>) {
        let of = |s: usize, c: usize| -> Vec<Value> {
            let samples = taken.samples[s][c].iter();
            samples.map(|of| json!({ "seen": of.seen, "foreign": of.foreign })).collect()
        };
        let rows = taken.scenarios.iter().enumerate().map(|(s, scenario)| {
            let contenders = taken.contenders.iter().enumerate();
            let contenders = contenders.map(|(c, name)| ((*name).to_owned(), json!(of(s, c))));
            ((*scenario).to_owned(), Value::Object(contenders.collect()))
        });
        self.data(name, Value::Object(rows.collect()));
    }
}

/// Rows of cells.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// How many of the first columns are text, which is aligned left.
    words: usize,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(words: usize, head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new(), words }
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let mut text = line(&self.head);
        text.push_str("\n|");
        for column in 0..self.head.len() {
            text.push_str(if column < self.words { " --- |" } else { " ---: |" });
        }
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{}", line(row));
        }
        text.push('\n');
        text
    }
}

/// The median of ratios, and its interval.
pub(crate) fn ratio(Estimate { median, low, high, .. }: Estimate) -> String {
    if median.is_nan() {
        return "–".to_owned();
    }
    // Only a request without an answer is so much later.
    if median >= 1e4 {
        return "∞".to_owned();
    }
    format!("{median:.2} ({low:.2} to {high:.2})")
}

/// A figure, with `digits` digits after the point.
pub(crate) fn figure(value: f64, digits: usize) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.digits$}") }
}

/// The bound of a ratio or a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    pub(crate) fn sign(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
        }
    }

    /// Whether the bound holds, as far as the estimate shows.
    pub(crate) fn verdict(self, Estimate { median, low, high, rounds }: Estimate) -> &'static str {
        let (limit, holds) = match self {
            Self::AtMost(limit) => (limit, median <= limit),
            Self::AtLeast(limit) => (limit, median >= limit),
        };
        match holds {
            _ if median.is_nan() => "not measured",
            _ if rounds < 2 => "undecided by one round",
            // The limit is within the interval, so chance may decide.
            _ if low < limit && limit < high => "undecided",
            true => "holds",
            false => "**falls short**",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(1, ["who", "ns"]);
        table.row(["loom", "7"]);
        assert_eq!(table.markdown(), "| who | ns |\n| --- | ---: |\n| loom | 7 |\n");
    }

    #[test]
    fn a_bar_within_the_interval_is_undecided() {
        let of = |rounds, median, low, high| Estimate { median, low, high, rounds };
        let estimate = |median, low, high| of(5, median, low, high);
        assert_eq!(Bar::AtMost(1.0).verdict(of(1, 0.5, 0.5, 0.5)), "undecided by one round");
        assert_eq!(Bar::AtMost(1.0).verdict(estimate(0.9, 0.8, 0.95)), "holds");
        assert_eq!(Bar::AtMost(1.0).verdict(estimate(0.9, 0.8, 1.1)), "undecided");
        assert_eq!(Bar::AtMost(1.0).verdict(estimate(1.2, 1.1, 1.3)), "**falls short**");
        assert_eq!(Bar::AtLeast(1.0).verdict(estimate(1.2, 1.1, 1.3)), "holds");
    }
}
