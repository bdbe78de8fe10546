//! Metrics in the form that exporters need: names, help texts, and values by label.

use super::histogram::Histogram;

/// One metric, with a value for each set of labels.
#[derive(Debug)]
pub(crate) struct Family {
    /// The name without the prefix.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// The names of the labels, if there are any.
    pub(crate) labels: &'static [&'static str],
    pub(crate) kind: Kind,
    /// The name until the last release, under which the values are exported for one more.
    pub(crate) old_name: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    /// In seconds.
    Histogram,
}

/// The value of a metric for one set of labels, which are in the order of the family's names.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<String>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Histogram),
}

/// A valid prefix of a metric's name. Characters other than letters, digits, `_` and `:` become
/// `_`, and so does a leading digit. An empty text becomes `loom`.
pub(crate) fn prefix(text: &str) -> String {
    let valid = |(at, c): (usize, char)| {
        let may = c.is_ascii_alphabetic() || c == '_' || c == ':' || at > 0 && c.is_ascii_digit();
        if may { c } else { '_' }
    };
    let prefix: String = text.chars().enumerate().map(valid).collect();
    if prefix.is_empty() { "loom".to_owned() } else { prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_prefix() {
        assert_eq!(prefix("shop"), "shop");
        assert_eq!(prefix("my-shop 2"), "my_shop_2");
        assert_eq!(prefix("2nd"), "_nd");
        assert_eq!(prefix("ü"), "_");
        assert_eq!(prefix(""), "loom");
    }
}
