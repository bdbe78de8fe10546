//! The arguments of `#[loom::compute]`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Expr, Path};

use crate::args;
use crate::diag::Diagnostics;
use crate::paths;

const KNOWN: &[&str] = &["hint", "size", "crate"];
const HINTS: &[&str] = &["low", "medium", "high", "unknown"];
/// The variants of `ComputeHint`, in the order of `HINTS`.
const HINT_VARIANTS: &[&str] = &["Low", "Medium", "High", "Unknown"];

pub(super) struct ComputeArgs {
    pub(super) loom: Path,
    /// A variant of `ComputeHint`.
    pub(super) hint: Ident,
    /// How large the input of a call is.
    pub(super) size: Option<Expr>,
}

pub(super) fn parse(tokens: TokenStream, diag: &mut Diagnostics) -> ComputeArgs {
    let args = args::parse(tokens, KNOWN, diag);
    let arg = |key: &str| args.iter().find(|arg| arg.key == key);
    let hint = arg("hint").and_then(|arg| {
        let i = diag.keep(arg.word(HINTS))?;
        Some(Ident::new(HINT_VARIANTS[i], arg.span()))
    });
    ComputeArgs {
        loom: paths::loom(arg("crate"), diag),
        size: arg("size").map(|arg| arg.value.clone()),
        hint: hint.unwrap_or_else(|| Ident::new("Unknown", Span::call_site())),
    }
}
