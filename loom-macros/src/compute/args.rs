//! The arguments of `#[loom::compute]`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use super::fleet::{self, Fleet};
use crate::args::{self, Arg, Known, expected};
use crate::diag::Diagnostics;
use crate::entry::{duration, parse_duration};
#[cfg(feature = "hints")]
use crate::hints;
use crate::paths;
use crate::words::{HINTS, MODES, PRIORITIES};

const KNOWN: Known<'_> = Known {
    names: &[
        "hint",
        "mode",
        "size",
        "priority",
        "key",
        "scope",
        "carry",
        "max_concurrent",
        "deadline",
        "fleet",
        "idempotent",
        "runtime",
        "crate",
    ],
    flags: &["scope", "idempotent"],
    optional: &["fleet"],
    lists: &["carry"],
    elsewhere: WORDS,
};
/// Values that stand where an argument should, and the hint for each.
const WORDS: &[(&str, &str)] = &[
    ("low", "did you mean `hint = \"low\"`?"),
    ("medium", "did you mean `hint = \"medium\"`?"),
    ("high", "did you mean `hint = \"high\"`?"),
    ("offload", "did you mean `mode = \"offload\"`?"),
    ("inline", "did you mean `mode = \"inline\"`?"),
    ("observe", "did you mean `mode = \"observe\"`?"),
];
pub(super) struct ComputeArgs {
    pub(super) loom: Path,
    /// An expression of a `ComputeHint`.
    pub(super) hint: Option<TokenStream>,
    /// A variant of `Mode`.
    pub(super) mode: Option<Ident>,
    /// How large the input of a call is.
    pub(super) size: Option<Expr>,
    /// A variant of `Priority`.
    pub(super) priority: Option<Ident>,
    pub(super) key: Option<LitStr>,
    /// Whether arguments may be borrowed.
    pub(super) scope: bool,
    /// Task-locals that an offloaded call carries along.
    pub(super) carry: Vec<Path>,
    /// How many calls may run at a time, as an expression of a `u32`.
    pub(super) max_concurrent: Option<TokenStream>,
    /// How long a call may take, as an expression of a `Duration`.
    pub(super) deadline: Option<TokenStream>,
    /// Whether calls may run on another process.
    pub(super) fleet: Option<Fleet>,
    /// The runtime, if not the current one.
    pub(super) runtime: Option<Expr>,
    /// Code in the function that comes from a file of hints.
    pub(super) of_file: TokenStream,
}

pub(super) fn parse(tokens: TokenStream, diag: &mut Diagnostics) -> ComputeArgs {
    let args = args::parse(tokens, KNOWN, diag);
    let arg = |key: &str| args.iter().find(|arg| arg.key == key);
    let loom = paths::loom(arg("crate"), diag);
    let mut variant = |key: &str, (words, variants): (&[&str], &[&str])| {
        let arg = arg(key)?;
        let word = diag.keep(arg.word(words))?;
        Some(Ident::new(variants[word], Span::call_site()))
    };
    let mode = variant("mode", MODES);
    let priority = variant("priority", PRIORITIES);
    let hint = arg("hint").and_then(|arg| diag.keep(hint(arg, &loom)));
    let key = arg("key").and_then(|arg| diag.keep(key(arg)));
    let runtime = arg("runtime")
        .and_then(|arg| diag.keep(arg.expression("runtime = state.runtime")).cloned());
    let size = arg("size").and_then(|arg| diag.keep(arg.value()).cloned());
    conflicts(mode.as_ref(), arg("hint"), arg("priority"), diag);
    let scope = arg("scope").is_some();
    let carry = arg("carry").map(|arg| arg.list().to_vec()).unwrap_or_default();
    let words: Vec<_> = carry.iter().map(|name| name.to_token_stream().to_string()).collect();
    for (at, word) in words.iter().enumerate() {
        if words[..at].contains(word) {
            diag.at(&carry[at], format!("`{word}` is given twice"));
        }
    }
    let fleet = fleet::parse(arg("fleet"), arg("idempotent"), diag);
    let max_concurrent =
        arg("max_concurrent").and_then(|arg| diag.keep(max_concurrent(arg, scope, &loom)));
    let deadline = arg("deadline").and_then(|arg| diag.keep(deadline(arg, scope, &loom)));
    let of_file = TokenStream::new();
    ComputeArgs {
        loom,
        hint,
        mode,
        size,
        priority,
        key,
        scope,
        carry,
        max_concurrent,
        deadline,
        fleet,
        runtime,
        of_file,
    }
}

/// How long a call may take: a text with a unit, or an expression of a `Duration`.
fn deadline(arg: &Arg, scope: bool, loom: &Path) -> syn::Result<TokenStream> {
    let value = arg.value()?;
    if scope {
        return Err(syn::Error::new(
            arg.key.span(),
            "`deadline` and `scope` exclude each other: a call that borrows has ended when it returns, so its \
             caller cannot give it up",
        ));
    }
    match value {
        Expr::Lit(_) => {
            let duration = duration(arg, loom)?;
            let is_nothing = matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(text), .. })
                if parse_duration(&text.value()).is_ok_and(|time| time.is_zero()));
            if is_nothing {
                return Err(syn::Error::new(
                    value.span(),
                    "a deadline of no time lets no call start",
                ));
            }
            Ok(duration)
        }
        Expr::Unary(_) => Err(expected(value, "deadline = \"250ms\"")),
        expression => {
            let typed = paths::at(loom, expression.span());
            Ok(quote_spanned! {expression.span()=>
                { let time: #typed::__private::Duration = #expression; time }
            })
        }
    }
}

/// How many calls may run at a time: a number, or a constant.
fn max_concurrent(arg: &Arg, scope: bool, loom: &Path) -> syn::Result<TokenStream> {
    const EXAMPLE: &str = "max_concurrent = 4";
    let value = arg.value()?;
    if scope {
        return Err(syn::Error::new(
            arg.key.span(),
            "`max_concurrent` and `scope` exclude each other: a call that borrows has ended when it returns, \
             so it cannot wait for others",
        ));
    }
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            let calls = number.base10_parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n));
            let calls = calls.ok_or_else(|| {
                let message = format!("expected 1 to 1000000 calls at a time, found {number}");
                syn::Error::new(number.span(), message)
            })?;
            Ok(quote!(#calls))
        }
        literal @ (Expr::Lit(_) | Expr::Unary(_)) => Err(expected(literal, EXAMPLE)),
        constant => {
            // An error of the constant is reported at the constant.
            let place = constant.span();
            let check = paths::at(loom, place);
            let mut value = Group::new(Delimiter::Parenthesis, quote!(#constant));
            value.set_span(Span::call_site().located_at(place));
            Ok(quote_spanned!(place=> #check::__private::calls_at_a_time #value))
        }
    }
}

/// The hint: one of the words, or any expression of the type.
fn hint(arg: &Arg, loom: &Path) -> syn::Result<TokenStream> {
    match arg.value()? {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
            let (words, variants) = HINTS;
            let variant = Ident::new(variants[arg.word(words)?], Span::call_site());
            Ok(quote!(#loom::__private::ComputeHint::#variant))
        }
        literal @ Expr::Lit(_) => {
            Err(expected(literal, "hint = \"low\"` or `hint = loom::ComputeHint::Low"))
        }
        expression => {
            // With the type written out, so that another type is an error at the expression.
            let typed = quote_spanned! {expression.span()=>
                let __loom_hint: #loom::__private::ComputeHint = #expression;
            };
            Ok(quote!({ #typed __loom_hint }))
        }
    }
}

fn key(arg: &Arg) -> syn::Result<LitStr> {
    let key = arg.string("key = \"a name\"")?;
    if key.value().trim().is_empty() {
        return Err(syn::Error::new(key.span(), "expected a name, found an empty string"));
    }
    Ok(key)
}

/// Reports arguments that have no effect beside others.
fn conflicts(
    mode: Option<&Ident>,
    hint: Option<&Arg>,
    priority: Option<&Arg>,
    diag: &mut Diagnostics,
) {
    let Some(mode) = mode.map(|mode| mode.to_string().to_lowercase()) else { return };
    if let Some(hint) = hint
        && (mode == "offload" || mode == "inline")
    {
        diag.at(
            &hint.key,
            format!(
                "`hint` says nothing beside `mode = {mode:?}`, which decides: drop one of them"
            ),
        );
    }
    if let Some(priority) = priority
        && (mode == "inline" || mode == "observe")
    {
        diag.at(
            &priority.key,
            format!(
                "`priority` says nothing beside `mode = {mode:?}`, which offloads no call: drop \
                 one of them"
            ),
        );
    }
}

#[cfg(feature = "hints")]
impl ComputeArgs {
    /// Takes the hint of a file for functions of that name; a hint in the code overrides it.
    pub(super) fn look_up(&mut self, item: &str, diag: &mut Diagnostics) {
        if cfg!(test) {
            // The expected expansions are those without a file.
            return;
        }
        let hints::Hints { hint, registered } = hints::of(item, &self.loom, diag);
        self.of_file = registered;
        let is_forced = matches!(&self.mode, Some(mode) if mode == "Offload" || mode == "Inline");
        if self.hint.is_none() && !is_forced {
            self.hint = hint;
        }
    }
}
