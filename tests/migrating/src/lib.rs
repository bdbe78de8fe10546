//! The examples of the guide's page on migrating. The library compiles its own side of each pair; here the
//! other side is compiled and run, too.

#[doc = include_str!("../../../loom-runtime/src/docs/migrating.md")]
pub mod migrating {}
