//! The guide: how to use Loom, from the first service to running it for others.
//!
//! | page | for |
//! | --- | --- |
//! | [`tutorial`] | a service from nothing, in steps that each run |
//! | [`cookbook`] | recipes: hashing, parsing, locks, streams, tests, metrics and more |
//! | [`concepts`] | arms, sites, verdicts and guardrails, in words |
//! | [`troubleshooting`] | from a symptom to its cause and its remedy |
//! | [`faq`] | short answers |
//! | [`migrating`] | from tokio, `spawn_blocking` and rayon |
//! | [`compare`] | Loom beside what people use today, with code on both sides |
//! | [`when_not_to`] | programs that are better off without Loom |
//! | [`operating`] | settings, overrides, metrics, containers |
//! | [`features`] | what each feature of the package adds |
//!
//! Every example of these pages is compiled and run with the tests.

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

#[doc = include_str!("cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("concepts.md")]
pub mod concepts {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("faq.md")]
pub mod faq {}

#[doc = include_str!("migrating.md")]
pub mod migrating {}

#[doc = include_str!("compare.md")]
pub mod compare {}

#[doc = include_str!("when_not_to.md")]
pub mod when_not_to {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("features.md")]
pub mod features {}
