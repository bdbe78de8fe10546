//! The arguments of `#[loom::main]` and `#[loom::test]`: the builder's settings.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, ExprLit, Ident, Lit, Path};

use crate::args::{self, Arg};
use crate::diag::Diagnostics;
use crate::paths;

const KNOWN: &[&str] = &[
    "prefix",
    "tokio_threads",
    "rayon_threads",
    "placement",
    "compute_priority",
    "pin",
    "shutdown_timeout",
    "crate",
];
/// The builder's own bounds, so that a literal is refused where it is written.
const FEWEST_THREADS: usize = 1;
const MOST_THREADS: usize = 8192;

pub(super) struct Settings {
    pub(super) loom: Path,
    /// Calls to chain onto a builder.
    pub(super) calls: TokenStream,
}

pub(super) fn parse(tokens: TokenStream, diag: &mut Diagnostics) -> Settings {
    let args = args::parse(tokens, KNOWN, diag);
    let loom = paths::loom(args.iter().find(|arg| arg.key == "crate"), diag);
    let calls = args
        .iter()
        .filter(|arg| arg.key != "crate")
        .filter_map(|arg| {
            let value = diag.keep(value(arg, &loom))?;
            let key = &arg.key;
            Some(quote!(.#key(#value)))
        })
        .collect();
    Settings { loom, calls }
}

/// The value as the builder's method takes it.
fn value(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    let variant = |ty: &str, words: &[&str], variants: &[&str]| {
        let variant = variants[arg.word(words)?];
        let (ty, variant) = (Ident::new(ty, arg.span()), Ident::new(variant, arg.span()));
        Ok(quote!(#loom::__private::#ty::#variant))
    };
    match &*arg.key.to_string() {
        "prefix" => prefix(arg),
        "placement" => variant("Placement", &["shared", "split"], &["Shared", "Split"]),
        "compute_priority" => {
            variant("ComputePriority", &["idle", "nice", "normal"], &["Idle", "Nice", "Normal"])
        }
        "pin" => match &arg.value {
            Expr::Lit(ExprLit { lit: Lit::Bool(pin), .. }) => Ok(quote!(#pin)),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value() == "required" => {
                variant("Pin", &["required"], &["Required"])
            }
            other => Err(syn::Error::new_spanned(
                other,
                "expected `pin = true`, `pin = false` or `pin = \"required\"`",
            )),
        },
        "shutdown_timeout" => duration(arg, loom),
        _ => threads(arg),
    }
}

fn prefix(arg: &Arg) -> syn::Result<TokenStream> {
    let prefix = arg.string("prefix = \"my-service\"")?;
    if prefix.value().is_empty() {
        return Err(syn::Error::new(
            prefix.span(),
            "expected a name for the threads, found an empty string",
        ));
    }
    Ok(quote!(#prefix))
}

/// A literal is checked here; anything else is a matter for the builder.
fn threads(arg: &Arg) -> syn::Result<TokenStream> {
    let value = &arg.value;
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) => match n.base10_parse::<usize>() {
            Ok(FEWEST_THREADS..=MOST_THREADS) => Ok(quote!(#n)),
            _ => Err(syn::Error::new(
                n.span(),
                format!("expected {FEWEST_THREADS} to {MOST_THREADS} threads, found {n}"),
            )),
        },
        Expr::Lit(_) => Err(arg.expected(value, &format!("{} = 4", arg.key))),
        expression => Ok(quote!(#expression)),
    }
}

fn duration(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    let text = arg.string(&format!("{} = \"5s\"", arg.key))?;
    let duration = humantime::parse_duration(&text.value()).map_err(|error| {
        syn::Error::new(
            text.span(),
            format!("expected a duration such as `500ms`, `5s` or `2min`: {error}"),
        )
    })?;
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    Ok(quote!(#loom::__private::Duration::new(#secs, #nanos)))
}
