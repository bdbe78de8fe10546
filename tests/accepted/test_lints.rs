//! The expansion adds no warnings.

#![deny(warnings, missing_docs, clippy::pedantic)]

#[loom::test]
async fn nothing_awaited() {}

#[loom::test]
fn plain() {}
