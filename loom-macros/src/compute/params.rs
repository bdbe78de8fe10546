//! The arguments on their way from the signature to the body.
//!
//! The signature has to state them, and the body is a closure of them, so each name occurs twice.
//! In the signature it usually has the macro's hygiene: no lint takes it for one that the body
//! shadows or uses. But what is written beside the signature has to find it there: the expressions
//! of `size` and `runtime`, and other attributes of the function. For these it is the user's.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Pat, PatIdent, PatType, Signature, Token, parse_quote};

use super::args::ComputeArgs;
use crate::attributes::is_inert;
use crate::body;
use crate::item::MOST_ARGUMENTS;
use crate::paths::of_macro;

/// One argument.
pub(super) struct Param {
    /// Its pattern in the signature.
    pub(super) outer: Pat,
    /// A statement before the call, if it needs one.
    pub(super) before: Option<TokenStream>,
    /// What the call passes on.
    pub(super) given: TokenStream,
    /// The attributes and the pattern of the closure's parameter.
    attrs: Vec<Attribute>,
    inner: TokenStream,
}

/// The arguments except `self`. A body that is `nested` in a function takes them as they come.
pub(super) fn params(
    sig: &Signature,
    attrs: &[&Attribute],
    args: &ComputeArgs,
    is_nested: bool,
) -> Vec<Param> {
    let others: Vec<_> = attrs.iter().copied().filter(|attr| !is_inert(attr)).collect();
    typed(sig).enumerate().map(|(i, arg)| Param::of(i, arg, &others, args, is_nested)).collect()
}

impl Param {
    /// `others`: attributes that may name it.
    fn of(
        i: usize,
        arg: &PatType,
        others: &[&Attribute],
        args: &ComputeArgs,
        is_nested: bool,
    ) -> Self {
        let PatType { attrs, pat, .. } = arg;
        match &**pat {
            Pat::Ident(pattern) if pattern.subpat.is_none() => {
                let is_named = !others.is_empty() || names(args, &pattern.ident);
                Self::of_name(i, pattern, attrs, is_named)
            }
            pattern => match parts(pattern).filter(|parts| !is_nested && name_any(others, parts)) {
                Some(parts) => Self::of_parts(i, pattern, &parts, attrs),
                None => Self::of_pattern(i, pattern, attrs),
            },
        }
    }

    fn of_name(i: usize, pattern: &PatIdent, attrs: &[Attribute], is_named: bool) -> Self {
        let mut name = pattern.ident.clone();
        let (mut attrs, inner) = (attrs.to_vec(), pattern.to_token_stream());
        if is_named {
            attrs.push(shadows());
        } else {
            name.set_span(of_macro(name.span()));
        }
        let given = name.to_token_stream();
        let named = [&name];
        let (before, given) = passed(i, if is_named { &named } else { &[] }, given);
        Self { outer: parse_quote!(#name), before, given, attrs, inner }
    }

    /// A pattern that is taken apart in the signature: its variables are passed on.
    fn of_parts(i: usize, pattern: &Pat, parts: &[PatIdent], attrs: &[Attribute]) -> Self {
        let mut outer = pattern.clone();
        without_mut(&mut outer);
        let names: Vec<_> = parts.iter().map(|part| &part.ident).collect();
        let (before, given) = passed(i, &names, quote!((#(#names,)*)));
        let attrs = attrs.iter().cloned().chain([shadows()]).collect();
        Self { outer, before, given, attrs, inner: quote!((#(#parts,)*)) }
    }

    /// A pattern that is taken apart in the closure.
    fn of_pattern(i: usize, pattern: &Pat, attrs: &[Attribute]) -> Self {
        let name = format_ident!("__loom_arg{i}", span = of_macro(pattern.span()));
        Self {
            outer: parse_quote!(#name),
            before: None,
            given: name.to_token_stream(),
            attrs: attrs.to_vec(),
            inner: pattern.to_token_stream(),
        }
    }
}

/// What the call is given, and a statement before it where clippy would take the use of these names for
/// one of the body.
fn passed(i: usize, names: &[&Ident], given: TokenStream) -> (Option<TokenStream>, TokenStream) {
    let Some(name) = names.iter().find(|name| name.to_string().starts_with('_')) else {
        return (None, given);
    };
    let passed = format_ident!("__loom_arg{i}", span = of_macro(name.span()));
    let before = quote! {
        #[allow(clippy::used_underscore_binding)]
        let #passed = #given;
    };
    (Some(before), passed.to_token_stream())
}

/// The closure's parameter has the name of the function's.
fn shadows() -> Attribute {
    parse_quote!(#[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)])
}

/// Whether one of the attributes has the name of a variable in its arguments.
fn name_any(others: &[&Attribute], variables: &[PatIdent]) -> bool {
    let names = |attr: &Attribute, variable: &PatIdent| {
        body::may_name(attr.meta.to_token_stream(), &variable.ident)
    };
    others.iter().any(|attr| variables.iter().any(|variable| names(attr, variable)))
}

/// Whether an expression of the attribute's own uses the argument.
fn names(args: &ComputeArgs, name: &Ident) -> bool {
    [&args.size, &args.runtime]
        .into_iter()
        .flatten()
        .any(|expression| body::speaks_of(expression.to_token_stream(), name))
}

/// The variables of a pattern that moves all of its value into variables. `None` for any other one:
/// what it borrows or leaves out has to stay where the body runs.
fn parts(pattern: &Pat) -> Option<Vec<PatIdent>> {
    let all = |patterns: &Punctuated<Pat, Token![,]>| {
        let parts: Option<Vec<_>> = patterns.iter().map(parts).collect();
        Some(parts?.concat())
    };
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            Some(vec![name.clone()])
        }
        Pat::Tuple(tuple) => all(&tuple.elems),
        Pat::TupleStruct(tuple) => all(&tuple.elems),
        Pat::Paren(inner) => parts(&inner.pat),
        Pat::Struct(fields)
            if fields.rest.is_none()
                && fields.fields.iter().all(|field| field.attrs.is_empty()) =>
        {
            let parts: Option<Vec<_>> =
                fields.fields.iter().map(|field| parts(&field.pat)).collect();
            Some(parts?.concat())
        }
        _ => None,
    }
}

/// A variable is changed in the body alone.
fn without_mut(pattern: &mut Pat) {
    match pattern {
        Pat::Ident(name) => name.mutability = None,
        Pat::Tuple(tuple) => tuple.elems.iter_mut().for_each(without_mut),
        Pat::TupleStruct(tuple) => tuple.elems.iter_mut().for_each(without_mut),
        Pat::Paren(inner) => without_mut(&mut inner.pat),
        Pat::Struct(fields) => {
            fields.fields.iter_mut().for_each(|field| without_mut(&mut field.pat));
        }
        _ => {}
    }
}

/// At most `MOST_ARGUMENTS` parts; the last one is a tuple of all that are too many.
pub(super) fn in_tuples(mut parts: Vec<TokenStream>) -> Vec<TokenStream> {
    if parts.len() > MOST_ARGUMENTS {
        let rest = parts.split_off(MOST_ARGUMENTS - 1);
        parts.push(quote!((#(#rest),*)));
    }
    parts
}

/// The same for the parameters of the closure with their attributes, which parts of a tuple cannot
/// have.
pub(super) fn closure_params(params: &[Param]) -> Vec<TokenStream> {
    let (alone, together) = if params.len() > MOST_ARGUMENTS {
        params.split_at(MOST_ARGUMENTS - 1)
    } else {
        (params, &[][..])
    };
    let mut parts: Vec<_> =
        alone.iter().map(|Param { attrs, inner, .. }| quote!(#(#attrs)* #inner)).collect();
    if !together.is_empty() {
        let attrs = together.iter().flat_map(|param| &param.attrs);
        let patterns = together.iter().map(|param| &param.inner);
        parts.push(quote!(#(#attrs)* (#(#patterns),*)));
    }
    parts
}

pub(super) fn typed(sig: &Signature) -> impl Iterator<Item = &PatType> {
    sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(arg) => Some(arg),
        FnArg::Receiver(_) => None,
    })
}
