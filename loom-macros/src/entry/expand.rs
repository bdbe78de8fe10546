//! The expansion of `#[loom::main]` and `#[loom::test]`: a plain function that builds the runtime
//! and runs on it the function as it was written, nested under its own name.
//!
//! ```text
//! fn name() -> R {
//!     async fn name() -> R { body }
//!     run_main(LoomBuilder::new().setting(value), name)
//! }
//! ```

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, FnArg, Lit, LitStr, Meta, MetaNameValue, Pat, PatIdent, PatType,
    Path, ReturnType, Safety, Signature, parse_quote,
};

use super::args::{Arms, Settings};
use super::kind::Kind;
use crate::body::{in_place_of, leading_attributes, mentions, without_impl};
use crate::item::{Function, typed_mut};
use crate::paths::of_macro;

pub(super) fn expand(kind: Kind, settings: &Settings, function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let Settings { loom, calls, arms } = settings;
    let (inner_attrs, body) = leading_attributes(&function.body);
    let name = &sig.ident;

    let names: Vec<Ident> = sig.inputs.iter().enumerate().map(param_name).collect();
    let mut outer = outer(sig);
    for (arg, name) in typed_mut(&mut outer).zip(&names) {
        *arg.pat = parse_quote!(#name);
    }
    let mut inner = sig.clone();
    for arg in typed_mut(&mut inner) {
        // Attributes for the attributes below this one stay on the outer function.
        arg.attrs.clear();
    }
    let run_body = if names.is_empty() { quote!(#name) } else { quote!(|| #name(#(#names),*)) };

    let builder = match kind {
        Kind::Main => quote!(#loom::__private::LoomBuilder::new() #calls),
        Kind::Test => quote!(#loom::__private::test_builder() #calls),
    };
    let should_panic = should_panic(attrs, loom);
    let is_async = sig.asyncness.is_some();
    let run = match (kind, arms) {
        (Kind::Main, _) => quote!(run_main),
        (Kind::Test, Arms::Both) if is_async => quote!(run_test_on_both),
        (Kind::Test, Arms::Both) => quote!(run_plain_test_on_both),
        (Kind::Test, _) if is_async => quote!(run_test),
        (Kind::Test, _) => quote!(run_plain_test),
    };
    let builder = match arms {
        Arms::Both => {
            let prelude = quote!(#loom::__private);
            let text = name.unraw().to_string();
            let path = quote!(#prelude::concat!(#prelude::module_path!(), "::", #text));
            quote!(#path, #should_panic, || #builder)
        }
        Arms::Inline => quote!(#builder.always_inline()),
        Arms::Offload => quote!(#builder.always_offload()),
        Arms::Chosen => builder,
    };
    // Last, so that attributes below this one find it, and make their own tests with it.
    let test = (kind == Kind::Test).then(|| quote!(#[#loom::__private::prelude::v1::test]));
    let block = quote! {
        #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
        #inner #body
        #loom::__private::#run(#builder, #run_body)
    };
    let block = in_place_of(&body, block);
    quote! {
        #(#attrs)*
        #(#inner_attrs)*
        #test
        #vis #outer #block
    }
}

/// Whether the test should panic, and with which words.
fn should_panic(attrs: &[Attribute], loom: &Path) -> TokenStream {
    let Some(attr) = attrs.iter().find(|attr| attr.path().is_ident("should_panic")) else {
        return quote!(#loom::__private::None);
    };
    let mut expected = None;
    match &attr.meta {
        Meta::List(list) => {
            // The compiler reports what is wrong with it.
            let _ = list.parse_nested_meta(|meta| {
                expected = Some(meta.value()?.parse::<LitStr>()?);
                Ok(())
            });
        }
        Meta::NameValue(MetaNameValue {
            value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }),
            ..
        }) => expected = Some(text.clone()),
        _ => {}
    }
    let expected = expected.map_or_else(|| quote!(""), |text| quote!(#text));
    quote!(#loom::__private::Some(#expected))
}

/// A name with the macro's hygiene, so that the function's own name still means the nested one.
fn param_name((i, input): (usize, &FnArg)) -> Ident {
    let pattern = match input {
        FnArg::Typed(PatType { pat, .. }) => match &**pat {
            Pat::Ident(PatIdent { ident, subpat: None, .. }) => Some(ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    };
    match pattern {
        Some(ident) => {
            let mut ident = ident.clone();
            ident.set_span(of_macro(ident.span()));
            ident
        }
        None => format_ident!("__loom_arg{i}", span = of_macro(input.span())),
    }
}

/// What is emitted beside errors: a function that callers find, and the body, so that what the
/// body uses counts as used.
pub(super) fn unplaced(kind: Kind, settings: &Settings, function: Function) -> TokenStream {
    let mut function = function;
    let Function { sig, body, .. } = &function;
    let is_nameable = sig.generics.params.is_empty()
        && sig.receiver().is_none()
        && !mentions(sig.inputs.to_token_stream(), "impl");
    let params = &sig.inputs;
    let output = match &sig.output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(arrow, ty) => {
            let ty = without_impl(ty.to_token_stream());
            quote!(#arrow #ty)
        }
    };
    let checked = is_nameable.then(|| quote!(let _ = async |#params| #output #body;));
    let loom = &settings.loom;
    let test = (kind == Kind::Test)
        .then(|| quote!(#[allow(dead_code)] #[#loom::__private::prelude::v1::test]));
    function.sig = outer(&function.sig);
    function.sig.inputs.clear();
    function.sig.generics = syn::Generics::default();
    let Function { attrs, vis, sig, .. } = &function;
    quote! {
        #(#attrs)*
        #test
        #vis #sig {
            #checked
            ::core::unreachable!()
        }
    }
}

/// The signature without everything that the outer function cannot have.
fn outer(sig: &Signature) -> Signature {
    let mut outer = sig.clone();
    outer.asyncness = None;
    outer.constness = None;
    outer.safety = Safety::Default;
    outer.abi = None;
    outer.variadic = None;
    outer
}
