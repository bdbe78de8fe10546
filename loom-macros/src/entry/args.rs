//! The arguments of `#[loom::main]` and `#[loom::test]`: the builder's settings.

use std::ops::RangeInclusive;

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
    "cpuset",
    "placement",
    "compute_priority",
    "pin",
    "tokio_flavor",
    "compute_queue",
    "shutdown_timeout",
    "config",
    "env_prefix",
    "crate",
];
/// The builder's own bounds, so that a literal is refused where it is written.
const THREADS: RangeInclusive<usize> = 1..=8192;
const CALLS: RangeInclusive<usize> = 1..=16_777_216;

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
            // The builder's method for files has the name that others give it.
            let key =
                if arg.key == "config" { Ident::new("file", arg.span()) } else { arg.key.clone() };
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
        "prefix" => name(arg, "prefix = \"my-service\"", "a name for the threads"),
        "cpuset" => name(arg, "cpuset = \"0-3,8\"", "CPU numbers and ranges"),
        "env_prefix" => name(arg, "env_prefix = \"MYAPP\"", "a name for the variables"),
        "config" if cfg!(feature = "config-files") => {
            name(arg, "config = \"my-service.toml\"", "the name of a file")
        }
        "config" => Err(syn::Error::new(
            arg.span(),
            "configuration files need the feature `config-files` of `loom-runtime`",
        )),
        "tokio_flavor" => variant(
            "TokioFlavor",
            &["multi_thread", "current_thread"],
            &["MultiThread", "CurrentThread"],
        ),
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
        "compute_queue" => number(arg, &CALLS, "calls"),
        _ => number(arg, &THREADS, "threads"),
    }
}

/// A string that is not empty.
fn name(arg: &Arg, example: &str, what: &str) -> syn::Result<TokenStream> {
    let text = arg.string(example)?;
    if text.value().is_empty() {
        return Err(syn::Error::new(
            text.span(),
            format!("expected {what}, found an empty string"),
        ));
    }
    Ok(quote!(#text))
}

/// A literal is checked here; anything else is a matter for the builder.
fn number(arg: &Arg, bounds: &RangeInclusive<usize>, what: &str) -> syn::Result<TokenStream> {
    let value = &arg.value;
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) => match n.base10_parse::<usize>() {
            Ok(number) if bounds.contains(&number) => Ok(quote!(#n)),
            _ => Err(syn::Error::new(
                n.span(),
                format!("expected {} to {} {what}, found {n}", bounds.start(), bounds.end()),
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
