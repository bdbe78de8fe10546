//! The arguments of `#[loom::main]` and `#[loom::test]`: the builder's settings.
//!
//! A literal is checked here, at its place in the source; the builder checks everything else.

use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use super::kind::Kind;
use super::literal;
use crate::args::{self, Arg, Known, expected};
use crate::diag::Diagnostics;
use crate::paths;

const KNOWN: &[&str] = &[
    "prefix",
    "tokio_threads",
    "rayon_threads",
    "local_cores",
    "cpuset",
    "placement",
    "compute_priority",
    "global_rayon",
    "stack_size",
    "max_spares",
    "pin",
    "pin_threads",
    "tokio_flavor",
    "compute_queue",
    "slow_poll",
    "shutdown_timeout",
    "mab_knobs",
    "calibrate",
    "calibration_config",
    "profile",
    "config",
    "env_prefix",
    "with_cli_args",
    "fleet",
    "crate",
];
/// Arguments of tests alone.
const ARM: &str = "arm";
const PAUSED: &str = "start_paused";
const ARMS: &[&str] = &["inline", "offload", "both"];
/// Words of tokio's attributes, and arguments of the other attribute, with the hint for each.
const ELSEWHERE: &[(&str, &str)] = &[
    (ARM, "it is for `#[loom::test]` alone"),
    (PAUSED, "it is for `#[loom::test]` alone"),
    ("worker_threads", "here it is called `tokio_threads`"),
    ("core_threads", "here it is called `tokio_threads`"),
    ("flavor", "here it is called `tokio_flavor`"),
    ("file", "here it is called `config`"),
];
/// The builder's own bounds, so that a literal out of bounds is an error at its place.
const THREADS: RangeInclusive<usize> = 1..=8192;
const CORES: RangeInclusive<usize> = 0..=1024;
const STACK: RangeInclusive<usize> = 131_072..=4_294_967_296;
const SPARES: RangeInclusive<usize> = 1..=1024;
const CALLS: RangeInclusive<usize> = 1..=16_777_216;

pub(super) struct Settings {
    pub(super) loom: Path,
    /// Calls to chain onto a builder.
    pub(super) calls: TokenStream,
    pub(super) arms: Arms,
}

/// Where compute functions run in a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arms {
    /// Where the scheduler decides.
    Chosen,
    Inline,
    Offload,
    /// The test runs twice.
    Both,
}

pub(super) fn parse(kind: Kind, tokens: TokenStream, diag: &mut Diagnostics) -> Settings {
    let known: Vec<&str> = match kind {
        Kind::Main => KNOWN.to_vec(),
        Kind::Test => [KNOWN, &[ARM, PAUSED]].concat(),
    };
    let known =
        Known { names: &known, flags: &[PAUSED], optional: &[], lists: &[], elsewhere: ELSEWHERE };
    let args = args::parse(tokens, known, diag);
    let arg = |key: &str| args.iter().find(|arg| arg.key == key);
    let loom = paths::loom(arg("crate"), diag);
    let arms = arg(ARM).and_then(|arg| diag.keep(arg.word(ARMS)));
    let calls = args
        .iter()
        .filter(|arg| arg.key != "crate" && arg.key != ARM)
        .filter_map(|arg| {
            let value = diag.keep(value(arg, &loom))?;
            // The builder's method for files is called `file`.
            let key =
                if arg.key == "config" { Ident::new("file", arg.span()) } else { arg.key.clone() };
            Some(quote!(.#key(#value)))
        })
        .collect();
    conflicts(&args, diag);
    let arms = [Arms::Inline, Arms::Offload, Arms::Both][..]
        .get(arms.unwrap_or(usize::MAX))
        .copied()
        .unwrap_or(Arms::Chosen);
    Settings { loom, calls, arms }
}

/// The value as the builder's method takes it.
fn value(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    let path = |ty: &str| {
        let ty = Ident::new(ty, arg.span());
        quote!(#loom::__private::#ty)
    };
    let example = |value: &str| format!("{} = {value}", arg.key);
    match &*arg.key.to_string() {
        "prefix" => text(arg, &example("\"my-service\""), literal::prefix),
        "cpuset" => text(arg, &example("\"0-3,8\""), literal::cpu_list),
        "env_prefix" => text(arg, &example("\"MYAPP\""), literal::variables),
        "profile" => text(arg, &example("\"my-service.profile\""), literal::file),
        "config" if cfg!(feature = "config-files") => {
            text(arg, &example("\"my-service.toml\""), literal::file)
        }
        "config" => Err(needs(arg, "configuration files need", "config-files")),
        "with_cli_args" if cfg!(feature = "clap") => {
            let expression = arg.expression(&example("args.loom"))?;
            Ok(quote!(&#expression))
        }
        "with_cli_args" => Err(needs(arg, "command line arguments need", "clap")),
        "fleet" if cfg!(feature = "fleet") => {
            let expression = arg.expression(&example("loom_fleet::Fleet::from_settings()"))?;
            Ok(quote!(#expression))
        }
        "fleet" => Err(needs(arg, "a fleet needs", "fleet")),
        "tokio_flavor" => variant(
            arg,
            &path("TokioFlavor"),
            &["multi_thread", "current_thread"],
            &["MultiThread", "CurrentThread"],
        ),
        PAUSED if cfg!(feature = "test-util") => Ok(quote!(true)),
        PAUSED => Err(needs(arg, "tests that hold the time need", "test-util")),
        "placement" => variant(arg, &path("Placement"), &["shared", "split"], &["Shared", "Split"]),
        "compute_priority" => variant(
            arg,
            &path("ComputePriority"),
            &["auto", "idle", "nice", "normal"],
            &["Auto", "Idle", "Nice", "Normal"],
        ),
        "global_rayon" => {
            variant(arg, &path("GlobalRayon"), &["plain", "io_first"], &["Plain", "IoFirst"])
        }
        "pin" => pin(arg, &path("Pin")),
        "pin_threads" | "calibrate" => match arg.value()? {
            Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }) => Ok(quote!(#flag)),
            literal @ Expr::Lit(_) => Err(expected(literal, &example("true"))),
            expression => Ok(quote!(#expression)),
        },
        "mab_knobs" | "calibration_config" => {
            let ty = if arg.key == "mab_knobs" { "MabKnobs" } else { "CalibrationConfig" };
            let expression = arg.expression(&example(&format!("{ty}::new()")))?;
            Ok(quote!(#expression))
        }
        "slow_poll" => limit(arg, loom),
        "shutdown_timeout" => duration(arg, loom),
        "compute_queue" => number(arg, &CALLS, "calls"),
        "stack_size" => number(arg, &STACK, "bytes"),
        "max_spares" => number(arg, &SPARES, "threads"),
        "local_cores" => number(arg, &CORES, "cores"),
        _ => number(arg, &THREADS, "threads"),
    }
}

fn needs(arg: &Arg, what: &str, feature: &str) -> syn::Error {
    syn::Error::new(arg.span(), format!("{what} the feature `{feature}` of `loom-runtime`"))
}

/// A string that `rule` accepts, or an expression.
fn text(
    arg: &Arg,
    example: &str,
    rule: impl Fn(&str) -> Result<(), String>,
) -> syn::Result<TokenStream> {
    match arg.value()? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            rule(&text.value()).map_err(|message| syn::Error::new(text.span(), message))?;
            Ok(quote!(#text))
        }
        literal @ Expr::Lit(_) => Err(expected(literal, example)),
        expression => Ok(quote!(#expression)),
    }
}

/// A word for one of the variants, or an expression of the type.
fn variant(
    arg: &Arg,
    ty: &TokenStream,
    words: &[&str],
    variants: &[&str],
) -> syn::Result<TokenStream> {
    match arg.value()? {
        Expr::Lit(_) => {
            let variant = Ident::new(variants[arg.word(words)?], arg.span());
            Ok(quote!(#ty::#variant))
        }
        expression => Ok(quote!(#expression)),
    }
}

fn pin(arg: &Arg, ty: &TokenStream) -> syn::Result<TokenStream> {
    match arg.value()? {
        Expr::Lit(ExprLit { lit: Lit::Bool(pin), .. }) => Ok(quote!(#pin)),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value() == "required" => {
            Ok(quote_spanned!(text.span()=> #ty::Required))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value() == "auto" => {
            Ok(quote_spanned!(text.span()=> #ty::Auto))
        }
        literal @ Expr::Lit(_) => Err(syn::Error::new_spanned(
            literal,
            "expected `pin = \"auto\"`, `pin = true`, `pin = false` or `pin = \"required\"`",
        )),
        expression => Ok(quote!(#expression)),
    }
}

fn number(arg: &Arg, bounds: &RangeInclusive<usize>, what: &str) -> syn::Result<TokenStream> {
    let outside = |found: &Expr| {
        let message = format!(
            "expected {} to {} {what}, found {}",
            bounds.start(),
            bounds.end(),
            quote!(#found).to_string().replace("- ", "-")
        );
        syn::Error::new(found.span(), message)
    };
    match arg.value()? {
        value @ Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) => match n.base10_parse::<usize>() {
            Ok(number) if bounds.contains(&number) => Ok(quote!(#n)),
            _ => Err(outside(value)),
        },
        literal @ Expr::Lit(_) => Err(expected(literal, &format!("{} = 4", arg.key))),
        negative @ Expr::Unary(unary) if matches!(&*unary.expr, Expr::Lit(_)) => {
            Err(outside(negative))
        }
        expression => Ok(quote!(#expression)),
    }
}

/// A duration within the builder's bounds, or `"off"`.
fn limit(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    match arg.value()? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let limit = literal::slow_poll(&text.value())
                .map_err(|message| syn::Error::new(text.span(), message))?;
            let off = || quote!(::core::option::Option::None::<#loom::__private::Duration>);
            Ok(limit.map_or_else(off, |limit| duration_tokens(limit, loom)))
        }
        literal @ Expr::Lit(_) => Err(expected(literal, &format!("{} = \"1ms\"", arg.key))),
        expression => Ok(quote!(#expression)),
    }
}

fn duration_tokens(duration: Duration, loom: &Path) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(#loom::__private::Duration::new(#secs, #nanos))
}

pub(crate) fn duration(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    let parsed = |text: &LitStr| {
        let duration = literal::duration(&text.value())
            .map_err(|message| syn::Error::new(text.span(), message))?;
        Ok(duration_tokens(duration, loom))
    };
    match arg.value()? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => parsed(text),
        literal @ Expr::Lit(_) => Err(expected(literal, &format!("{} = \"5s\"", arg.key))),
        expression => Ok(quote!(#expression)),
    }
}

/// Arguments that exclude each other.
fn conflicts(args: &[Arg], diag: &mut Diagnostics) {
    let arg = |key: &str| args.iter().find(|arg| arg.key == key);
    if let (Some(_), Some(again)) = (arg("pin"), arg("pin_threads")) {
        diag.at(&again.key, "`pin_threads` says what `pin` says: drop one of them");
    }
    let is_current_thread = arg("tokio_flavor")
        .and_then(|arg| arg.string("").ok())
        .is_some_and(|flavor| flavor.value() == "current_thread");
    if let Some(paused) = arg(PAUSED) {
        for other in ["tokio_threads", "tokio_flavor", "local_cores"] {
            // The builder checks expressions; a literal is fine unless it asks for several threads.
            let is_fine = |arg: &&Arg| match arg.value() {
                Ok(Expr::Lit(ExprLit { lit: Lit::Int(n), .. })) => n.base10_digits() == "0",
                Ok(Expr::Lit(_)) => is_current_thread,
                _ => true,
            };
            if let Some(other) = arg(other).filter(|arg| !is_fine(arg)) {
                diag.at(
                    &other.key,
                    format!("`{}` needs a single thread: drop `{}`", paused.key, other.key),
                );
            }
        }
        return;
    }
    if let Some(threads) = arg("tokio_threads").filter(|_| is_current_thread) {
        diag.at(
            &threads.key,
            "`tokio_flavor = \"current_thread\"` has the one thread that waits: drop \
             `tokio_threads`",
        );
    }
}
