//! The path of Loom in expansions, and the spans of what expansions contain.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Path, parse_quote};

use crate::args::Arg;
use crate::diag::Diagnostics;
use crate::manifest::{self, Name};

/// What `crate = path` says, or the name that the crate's dependency has; `::loom` otherwise.
pub(crate) fn loom(given: Option<&Arg>, diag: &mut Diagnostics) -> Path {
    if let Some(arg) = given {
        return diag.keep(arg.path()).unwrap_or_else(|| parse_quote!(::loom));
    }
    match manifest::name() {
        Name::Usual => {}
        Name::Renamed(name) => {
            let name = Ident::new(&name, Span::call_site());
            return parse_quote!(::#name);
        }
        Name::Taken => diag.at_span(
            Span::call_site(),
            "`loom` is another package in the `Cargo.toml` of this crate, and Loom is none of its \
             dependencies: add it under another name, as in `loom_rt = { package = \"loom-runtime\", … }`, \
             or, where another crate passes Loom on, say where it is, as in `crate = that_crate::loom`",
        ),
        Name::Missing => diag.at_span(
            Span::call_site(),
            "no `Cargo.toml` of this crate or its workspace names Loom: add `loom-runtime`, or, where \
             another crate passes Loom on, say where it is, as in `crate = that_crate::loom` (or \
             `crate = ::loom` after `extern crate that_crate as loom`)",
        ),
    }
    parse_quote!(::loom)
}

/// The same path with the span of another place, where errors of the expression are reported.
pub(crate) fn at(path: &Path, place: Span) -> TokenStream {
    if path.leading_colon.is_some() && path.segments.len() == 1 && path.segments[0].ident == "loom"
    {
        // The usual path, without a walk through its tokens.
        return quote_spanned!(place=> ::loom);
    }
    let moved = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    path.to_token_stream().into_iter().map(moved).collect()
}

/// The span of a place with the macro's hygiene: a local variable that the body cannot see.
pub(crate) fn of_macro(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}
