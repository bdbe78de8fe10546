//! `key = value` arguments, with the place of each for error messages.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token, parenthesized};

use crate::diag::{Diagnostics, nearest, one_of};

/// One argument as written.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    /// `None` where the key stands alone.
    value: Option<Expr>,
    /// The names in parentheses after the key, if there are parentheses, or the error in them.
    list: Option<syn::Result<Vec<Path>>>,
}

/// The arguments that an attribute has.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) names: &'a [&'a str],
    /// Those without a value.
    pub(crate) flags: &'a [&'a str],
    /// Those with or without a value.
    pub(crate) optional: &'a [&'a str],
    /// Those with names in parentheses.
    pub(crate) lists: &'a [&'a str],
    /// Words that other attributes use, and the hint for each.
    pub(crate) elsewhere: &'a [(&'a str, &'a str)],
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument such as `name = value`"));
        }
        // Any word: `crate` is one of the keys.
        let key = input.call(Ident::parse_any)?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { key, value: None, list: None });
        }
        if input.peek(Paren) {
            let within;
            parenthesized!(within in input);
            let tokens: TokenStream = within.parse()?;
            let names = Punctuated::<Path, Token![,]>::parse_terminated.parse2(tokens);
            let list = names.map(|names| names.into_iter().collect());
            return Ok(Self { key, value: None, list: Some(list) });
        }
        if !input.peek(Token![=]) {
            return Err(input.error(format!("expected `{key} = ...`")));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(key.span(), format!("expected a value: `{key} = ...`")));
        }
        let mut value: Expr = input.parse()?;
        // What a macro passes on has invisible brackets.
        while let Expr::Group(group) = value {
            value = *group.expr;
        }
        Ok(Self { key, value: Some(value), list: None })
    }
}

/// Splits the arguments, and reports unknown and repeated ones and those that lack a value: every
/// argument has one, except flags, lists and those that may do without. For an unknown argument that is known elsewhere, the
/// error contains the hint for it.
pub(crate) fn parse(tokens: TokenStream, known: Known<'_>, diag: &mut Diagnostics) -> Vec<Arg> {
    let Known { names, flags, optional, lists, elsewhere } = known;
    let args = diag.keep(Parser::parse2(one_by_one, tokens)).unwrap_or_default();
    let mut kept: Vec<Arg> = Vec::new();
    for arg in args {
        let Some(arg) = diag.keep(arg) else { continue };
        let key = arg.key.to_string();
        let is_flag = flags.contains(&&*key);
        let is_list = lists.contains(&&*key);
        if !names.contains(&&*key) {
            let elsewhere = elsewhere.iter().find(|(name, _)| *name == key);
            let hint = match (elsewhere, nearest(&key, names)) {
                (Some((_, here)), _) => (*here).to_owned(),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => format!("expected {}", one_of(names)),
            };
            diag.at(&arg.key, format!("unknown argument `{key}`; {hint}"));
        } else if kept.iter().any(|earlier| earlier.key == arg.key) {
            diag.at(&arg.key, format!("`{key}` is given twice"));
        } else if is_list {
            match arg.list {
                Some(Ok(ref names)) if !names.is_empty() => kept.push(arg),
                Some(Err(error)) => drop(diag.keep::<()>(Err(error))),
                _ => diag.at(&arg.key, format!("expected names in parentheses: `{key}(NAME)`")),
            }
        } else if arg.list.is_some() && !is_flag {
            diag.at(&arg.key, format!("expected `{key} = ...`"));
        } else if is_flag && arg.list.is_some() {
            diag.at(&arg.key, format!("expected `{key}` alone, without a value"));
        } else if is_flag && arg.value.is_some() {
            diag.at(&arg.value, format!("expected `{key}` alone, without a value"));
            kept.push(arg);
        } else if !is_flag && !optional.contains(&&*key) && arg.value.is_none() {
            diag.at(&arg.key, format!("expected a value: `{key} = ...`"));
        } else {
            kept.push(arg);
        }
    }
    kept
}

/// Every argument or its error, so that an unreadable argument does not hide the next one.
fn one_by_one(input: ParseStream<'_>) -> syn::Result<Vec<syn::Result<Arg>>> {
    let mut args = Vec::new();
    while !input.is_empty() {
        let mut arg = input.parse::<Arg>();
        if arg.is_ok() && !input.is_empty() && !input.peek(Token![,]) {
            arg = Err(input.error("expected `,` between arguments"));
        }
        args.push(arg);
        while !input.is_empty() && !input.peek(Token![,]) {
            input.parse::<TokenTree>()?;
        }
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(args)
}

impl Arg {
    /// What is right of the `=`. Not called for flags, which have no value.
    pub(crate) fn value(&self) -> syn::Result<&Expr> {
        let missing = || syn::Error::new(self.span(), "expected a value");
        self.value.as_ref().ok_or_else(missing)
    }

    /// Whether it has no value.
    pub(crate) fn stands_alone(&self) -> bool {
        self.value.is_none()
    }

    /// The names in parentheses.
    pub(crate) fn list(&self) -> &[Path] {
        self.list.as_ref().and_then(|list| list.as_deref().ok()).unwrap_or_default()
    }

    /// The value as a string literal, or the error that it is none; `example` is a full argument.
    pub(crate) fn string(&self, example: &str) -> syn::Result<LitStr> {
        match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            other => Err(expected(other, example)),
        }
    }

    /// The position in `known` of the word that is the value.
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
        match self.value()? {
            Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => {
                Ok(path.path.clone())
            }
            other => Err(expected(other, "crate = my_name_for::loom")),
        }
    }

    /// Any value but a literal, which cannot have the right type; `example` is a full argument.
    pub(crate) fn expression(&self, example: &str) -> syn::Result<&Expr> {
        match self.value()? {
            literal @ Expr::Lit(_) => Err(expected(literal, example)),
            expression => Ok(expression),
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.key.span()
    }
}

/// "expected `x = ...`, found ..." at the value.
pub(crate) fn expected(found: &Expr, example: &str) -> syn::Error {
    let what = match found {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(_) => "a string",
            Lit::Int(_) | Lit::Float(_) => "a number",
            Lit::Bool(_) => "a bool",
            _ => "another literal",
        },
        _ => "an expression",
    };
    syn::Error::new_spanned(found, format!("expected `{example}`, found {what}"))
}
