//! Types that borrow from the caller, and what to take in place of them.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypeParamBound, TypeReference};

/// What in a type borrows from the caller.
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
        // The arguments of `Fn(&str)` are not data of ours, so only `<...>` counts.
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
    let (owned, borrowed) = match borrow {
        Borrow::Lifetime(lifetime) => {
            return format!("use `'static` in place of `{lifetime}`, or an owned type");
        }
        Borrow::Reference(reference) => (owned(&reference.elem), reference.to_token_stream()),
    };
    // Tokens print with a space after each; a reference is written without.
    let borrowed = borrowed.to_string().replacen("& ", "&", 1);
    format!("use {owned} in place of `{borrowed}`")
}

/// What to take instead of a reference to it.
fn owned(referent: &Type) -> String {
    if let Type::Slice(slice) = referent {
        return format!("`Vec<{}>`", slice.elem.to_token_stream());
    }
    let name = referent.to_token_stream().to_string();
    match &*name {
        "str" => "`String`".to_owned(),
        "Path" => "`PathBuf`".to_owned(),
        "OsStr" => "`OsString`".to_owned(),
        "CStr" => "`CString`".to_owned(),
        _ => format!("`{name}` or `Arc<{name}>`"),
    }
}
