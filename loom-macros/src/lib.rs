//! The attributes of Loom. Use them through the `loom-runtime` package, as `loom::main`,
//! `loom::test` and `loom::compute`.
//!
//! Each attribute passes through the same stages, one file each: the arguments and the item are
//! parsed, checked as a whole, and expanded only after that. All mistakes are reported at once,
//! and the item is emitted beside them so that no mistake causes a second error.

mod args;
mod attributes;
mod body;
mod compute;
mod diag;
mod entry;
#[cfg(test)]
mod golden;
#[cfg(feature = "hints")]
mod hints;
mod item;
mod manifest;
mod paths;
mod recover;
mod words;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/compute.md")]
#[doc = "```text"]
#[doc = include_str!("../tests/expand/compute.in.rs")]
#[doc = include_str!("../tests/expand/compute.out.rs")]
#[doc = include_str!("../tests/expand/methods.in.rs")]
#[doc = include_str!("../tests/expand/methods.out.rs")]
#[doc = include_str!("../tests/expand/recursion.in.rs")]
#[doc = include_str!("../tests/expand/recursion.out.rs")]
#[doc = include_str!("../tests/expand/arguments.in.rs")]
#[doc = include_str!("../tests/expand/arguments.out.rs")]
#[doc = "```"]
#[proc_macro_attribute]
pub fn compute(args: TokenStream, item: TokenStream) -> TokenStream {
    compute::compute(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/main.md")]
#[doc = "```text"]
#[doc = include_str!("../tests/expand/main.in.rs")]
#[doc = include_str!("../tests/expand/main.out.rs")]
#[doc = "```"]
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::entry(entry::Kind::Main, args.into(), item.into()).into()
}

#[doc = include_str!("../docs/test.md")]
#[doc = "```text"]
#[doc = include_str!("../tests/expand/test.in.rs")]
#[doc = include_str!("../tests/expand/test.out.rs")]
#[doc = "```"]
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::entry(entry::Kind::Test, args.into(), item.into()).into()
}
