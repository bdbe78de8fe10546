//! `key = value` arguments, with the place of each kept for errors.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token};

use crate::diag::{Diagnostics, nearest, one_of};

/// One argument as written.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // Any word, since `crate` is one of them.
        let key = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(key.span(), format!("expected a value: `{key} = ...`")));
        }
        input.parse::<Token![=]>()?;
        let mut value: Expr = input.parse()?;
        // What a macro hands on comes in invisible brackets.
        while let Expr::Group(group) = value {
            value = *group.expr;
        }
        Ok(Self { key, value })
    }
}

/// Splits the arguments, and sorts out unknown and repeated ones.
pub(crate) fn parse(tokens: TokenStream, known: &[&str], diag: &mut Diagnostics) -> Vec<Arg> {
    let parser = Punctuated::<Arg, Token![,]>::parse_terminated;
    let Some(args) = diag.keep(parser.parse2(tokens)) else {
        return Vec::new();
    };
    let mut kept: Vec<Arg> = Vec::new();
    for arg in args {
        let key = arg.key.to_string();
        if !known.contains(&&*key) {
            let hint = match nearest(&key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected {}", one_of(known)),
            };
            diag.at(&arg.key, format!("unknown argument `{key}`; {hint}"));
        } else if kept.iter().any(|earlier| earlier.key == arg.key) {
            diag.at(&arg.key, format!("`{key}` is given twice"));
        } else {
            kept.push(arg);
        }
    }
    kept
}

impl Arg {
    /// The value as a string literal, or why it is none; `example` is a full argument.
    pub(crate) fn string(&self, example: &str) -> syn::Result<LitStr> {
        match &self.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            other => Err(self.expected(other, example)),
        }
    }

    /// One of the words in `known`, by its position there.
    pub(crate) fn word(&self, known: &[&str]) -> syn::Result<usize> {
        let example = format!("{} = {:?}", self.key, known[0]);
        let text = self.string(&example)?;
        let word = text.value();
        known.iter().position(|k| *k == word).ok_or_else(|| {
            let hint = match nearest(&word, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected {}", one_of(known)),
            };
            syn::Error::new(text.span(), format!("unknown {} `{word}`; {hint}", self.key))
        })
    }

    /// The value as a path, for `crate = path`.
    pub(crate) fn path(&self) -> syn::Result<Path> {
        match &self.value {
            Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => {
                Ok(path.path.clone())
            }
            other => Err(self.expected(other, "crate = my_name_for::loom")),
        }
    }

    /// "expected `x = ...`, found ..." at the value.
    pub(crate) fn expected(&self, found: &Expr, example: &str) -> syn::Error {
        let found = match found {
            Expr::Lit(ExprLit { lit, .. }) => match lit {
                Lit::Str(_) => "a string",
                Lit::Int(_) | Lit::Float(_) => "a number",
                Lit::Bool(_) => "a bool",
                _ => "another literal",
            },
            _ => "an expression",
        };
        syn::Error::new_spanned(&self.value, format!("expected `{example}`, found {found}"))
    }

    pub(crate) fn span(&self) -> Span {
        self.key.span()
    }
}
