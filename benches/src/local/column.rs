//! A column of the table.

/// A column: its scenario, its head, the number of things in a sample, and its digits.
pub(super) struct Column {
    pub(super) scenario: &'static str,
    pub(super) says: &'static str,
    pub(super) n: u64,
    pub(super) digits: usize,
}
