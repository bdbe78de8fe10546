//! What `#[loom::compute]` generates.
//!
//! The plain function goes inside an `async fn` of the same signature, under its own
//! name, and the `async fn` makes it an adaptive call:
//!
//! ```text
//! async fn name(arg: T) -> R {
//!     fn name(pattern: T) -> R { body }
//!     static SITE: Site = Site::new("module::path::name", hint);
//!     match call_at(&SITE, move || name(arg)) {
//!         Ok(result) => result,
//!         Err(call) => call.await,
//!     }
//! }
//! ```
//!
//! With `size` the site is one of several classes, and the expression is worked out before the
//! closure takes the arguments.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam, Pat, PatType, Signature, Token, parse_quote};

use super::args::ComputeArgs;
use crate::item::Function;

/// Attributes that say something about the machine code of the body.
const OF_THE_BODY: &[&str] = &["inline", "cold", "optimize"];

pub(super) fn expand(args: &ComputeArgs, function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, body, .. } = function;
    let (of_body, of_item): (Vec<_>, Vec<_>) = attrs.iter().partition(|attr| is_of_the_body(attr));

    let params: Vec<Ident> = typed(sig).enumerate().map(|(i, arg)| param_name(i, arg)).collect();
    let mut outer = as_async(sig);
    for (arg, name) in typed_mut(&mut outer).zip(&params) {
        *arg.pat = parse_quote!(#name);
    }

    let mut inner = sig.clone();
    inner.asyncness = None;
    // An argument of the function's own name would be hidden by the plain function, and
    // hides it in the body anyway.
    if params.iter().any(|param| param.unraw() == inner.ident.unraw()) {
        inner.ident = format_ident!("__loom_body", span = sig.ident.span());
    }
    let plain = &inner.ident;

    let generics = turbofish(sig);
    let call = quote!(move || #plain #generics(#(#params),*));
    let loom = &args.loom;
    let hint = hint(args);
    let place = match (is_generic(sig), &args.size) {
        (true, None) => quote!(#loom::__private::call_of_type(#hint, #call)),
        (true, Some(_)) => {
            quote!(#loom::__private::call_sized_of_type(#hint, __loom_size, #call))
        }
        (false, None) => quote!(#loom::__private::call_at(&__LOOM_SITE, #call)),
        (false, Some(_)) => {
            quote!(#loom::__private::call_sized_at(&__LOOM_SITE, __loom_size, #call))
        }
    };
    // Before the closure takes what it is about.
    let tell_size = args.size.as_ref().map(|size| {
        let magnitude = quote_spanned!(size.span()=> #loom::__private::magnitude);
        quote!(let __loom_size = #magnitude(|| #size);)
    });
    let site = (!is_generic(sig)).then(|| site(args, sig));

    quote! {
        #(#of_item)*
        #vis #outer {
            #(#of_body)*
            #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)]
            #inner #body
            #site
            #tell_size
            match #place {
                #loom::__private::Ok(__loom_result) => __loom_result,
                #loom::__private::Err(__loom_call) => __loom_call.await,
            }
        }
    }
}

/// The function as an `async fn` that runs where it is: what its callers expect to find
/// while there are errors.
pub(super) fn unplaced(function: &Function) -> TokenStream {
    let mut function = function.clone();
    function.sig = as_async(&function.sig);
    function.sig.constness = None;
    function.sig.abi = None;
    function.sig.variadic = None;
    function.into_token_stream()
}

fn site(args: &ComputeArgs, sig: &Signature) -> TokenStream {
    let loom = &args.loom;
    let hint = hint(args);
    let name = sig.ident.unraw().to_string();
    let new = if args.size.is_some() { quote!(sized) } else { quote!(new) };
    quote! {
        static __LOOM_SITE: #loom::__private::Site = #loom::__private::Site::#new(
            #loom::__private::concat!(#loom::__private::module_path!(), "::", #name),
            #hint,
        );
    }
}

fn hint(args: &ComputeArgs) -> TokenStream {
    let ComputeArgs { loom, hint, .. } = args;
    quote!(#loom::__private::ComputeHint::#hint)
}

fn as_async(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    sig.asyncness.get_or_insert(Token![async](sig.fn_token.span));
    sig
}

/// A static is shared by all instances of a generic function, so those are told apart by
/// the type of their closure.
fn is_generic(sig: &Signature) -> bool {
    let params = &sig.generics.params;
    params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_)))
        || typed(sig).any(|arg| contains_impl(arg.ty.to_token_stream()))
}

fn contains_impl(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => contains_impl(group.stream()),
        proc_macro2::TokenTree::Ident(word) => word == "impl",
        _ => false,
    })
}

/// Type and const parameters by name, since the arguments need not tell them. Those of
/// `impl Trait` cannot be named, and forbid naming the others only where there are others.
fn turbofish(sig: &Signature) -> Option<TokenStream> {
    let names = sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
        GenericParam::Lifetime(_) => None,
    });
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| quote!(::<#(#names),*>))
}

/// The argument's own name where it has one; patterns are taken apart in the plain
/// function.
fn param_name(i: usize, arg: &PatType) -> Ident {
    match &*arg.pat {
        Pat::Ident(name) if name.subpat.is_none() && name.by_ref.is_none() => name.ident.clone(),
        _ => format_ident!("__loom_arg{i}", span = Span::mixed_site()),
    }
}

fn is_of_the_body(attr: &Attribute) -> bool {
    OF_THE_BODY.iter().any(|name| attr.path().is_ident(name))
}

fn typed(sig: &Signature) -> impl Iterator<Item = &PatType> {
    sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(arg) => Some(arg),
        FnArg::Receiver(_) => None,
    })
}

fn typed_mut(sig: &mut Signature) -> impl Iterator<Item = &mut PatType> {
    sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(arg) => Some(arg),
        FnArg::Receiver(_) => None,
    })
}
