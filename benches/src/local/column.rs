//! A column of the table.

/// A column: its name, of how many things a sample is, and what is told of them.
pub(super) struct Column {
    pub(super) scenario: &'static str,
    pub(super) says: &'static str,
    pub(super) n: u64,
    pub(super) digits: usize,
}
