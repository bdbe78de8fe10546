#![deny(warnings, missing_docs, clippy::pedantic)]
//! The expansion adds no warnings.

#[loom::test]
async fn nothing_awaited() {}

#[loom::test]
fn plain() {}
