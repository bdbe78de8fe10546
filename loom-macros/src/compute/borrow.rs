//! Types that borrow from the caller, and the owned types to take in their place.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{
    GenericArgument, Lifetime, PathArguments, ReturnType, Type, TypeParamBound, TypeReference,
};

use crate::diag::shown;

/// The part of a type that borrows from the caller.
pub(super) enum Borrow<'a> {
    Reference(&'a TypeReference),
    Lifetime(String),
}

pub(super) fn find_borrow(ty: &Type) -> Option<Borrow<'_>> {
    match ty {
        Type::Reference(reference) => match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => None,
            _ => Some(Borrow::Reference(reference)),
        },
        Type::Array(array) => find_borrow(&array.elem),
        Type::Slice(slice) => find_borrow(&slice.elem),
        Type::Paren(paren) => find_borrow(&paren.elem),
        Type::Group(group) => find_borrow(&group.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(find_borrow),
        Type::TraitObject(object) => in_bounds(&object.bounds),
        Type::ImplTrait(opaque) => in_bounds(&opaque.bounds),
        // The arguments of `Fn(&str)` are not data of the call, so only `<...>` counts.
        Type::Path(path) => {
            path.path.segments.iter().find_map(|segment| in_generics(&segment.arguments))
        }
        _ => None,
    }
}

fn in_generics(arguments: &PathArguments) -> Option<Borrow<'_>> {
    let PathArguments::AngleBracketed(generics) = arguments else { return None };
    generics.args.iter().find_map(|arg| match arg {
        GenericArgument::Type(ty) => find_borrow(ty),
        GenericArgument::Lifetime(lifetime) => of_lifetime(lifetime),
        GenericArgument::AssocType(assoc) => find_borrow(&assoc.ty),
        _ => None,
    })
}

fn in_bounds<P>(bounds: &Punctuated<TypeParamBound, P>) -> Option<Borrow<'_>> {
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Lifetime(lifetime) => of_lifetime(lifetime),
        // `for<'a> Trait<'a>` borrows nothing from the caller.
        TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => {
            bound.path.segments.iter().find_map(|segment| in_generics(&segment.arguments))
        }
        _ => None,
    })
}

fn of_lifetime(lifetime: &Lifetime) -> Option<Borrow<'_>> {
    (lifetime.ident != "static").then(|| Borrow::Lifetime(lifetime.to_string()))
}

pub(super) fn way_out(borrow: &Borrow<'_>) -> String {
    match borrow {
        Borrow::Lifetime(lifetime) => {
            format!("use `'static` in place of `{lifetime}`, or an owned type")
        }
        Borrow::Reference(reference) => {
            let (owned, borrowed) = (owned(reference), shown(reference));
            format!("use {owned} in place of `{borrowed}`")
        }
    }
}

/// The type to take instead of a reference.
fn owned(reference: &TypeReference) -> String {
    let referent = &*reference.elem;
    let name = match shown(referent) {
        name if reference.mutability.is_some() && !matches!(referent, Type::Slice(_)) => {
            return format!("`{name}`, to be given back,");
        }
        name => name,
    };
    match owned_of(referent) {
        Some(owned) => format!("`{owned}`"),
        None => format!("`{name}` or `Arc<{name}>`"),
    }
}

/// The type that owns what a reference to `borrowed` borrows.
fn owned_of(borrowed: &Type) -> Option<String> {
    match borrowed {
        Type::Slice(slice) => {
            let elem = match &*slice.elem {
                Type::Reference(inner) => {
                    owned_of(&inner.elem).unwrap_or_else(|| shown(&inner.elem))
                }
                elem => shown(elem),
            };
            Some(format!("Vec<{elem}>"))
        }
        Type::TraitObject(object) => Some(format!("Box<{} + Send>", shown(object))),
        Type::Path(path) => {
            let owned = match &*path.path.segments.last()?.ident.to_string() {
                "str" => "String",
                "Path" => "PathBuf",
                "OsStr" => "OsString",
                "CStr" => "CString",
                _ => return None,
            };
            Some(owned.to_owned())
        }
        _ => None,
    }
}

/// The signature's result with `'static` in place of borrows, so that they are no further errors.
pub(super) fn without_borrow(output: &ReturnType) -> ReturnType {
    fn with_lifetimes(tokens: TokenStream) -> TokenStream {
        let mut kept = TokenStream::new();
        let mut after_and = false;
        for token in tokens {
            let is_lifetime = matches!(&token, TokenTree::Punct(p) if p.as_char() == '\'');
            if after_and && !is_lifetime {
                kept.extend(quote!('static));
            }
            after_and = matches!(&token, TokenTree::Punct(p) if p.as_char() == '&');
            match token {
                TokenTree::Group(group) => {
                    let inner = with_lifetimes(group.stream());
                    kept.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
                }
                token => kept.extend([token]),
            }
        }
        kept
    }
    let borrowed = output.to_token_stream();
    syn::parse2(with_lifetimes(borrowed)).unwrap_or_else(|_| output.clone())
}
