//! What `#[loom::main]` and `#[loom::test]` generate: a plain function that builds the runtime
//! and runs the body on it, as an async closure.
//!
//! ```text
//! fn name() -> R {
//!     run_main(LoomBuilder::new().setting(value), async || -> R { body })
//! }
//! ```

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ReturnType, Safety, Signature};

use super::Kind;
use super::args::{Arms, Settings};
use crate::body::{leading_attributes, mentions, without_impl};
use crate::item::Function;

pub(super) fn expand(kind: Kind, settings: &Settings, function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let Settings { loom, calls, arms } = settings;
    let (inner_attrs, body) = leading_attributes(&function.body);

    let outer = outer(sig);
    let output = match &sig.output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(arrow, ty) => {
            let ty = without_impl(ty.to_token_stream());
            quote!(#arrow #ty)
        }
    };
    let asyncness = sig.asyncness;
    // What was taken as an argument is used up by the first run.
    let capture = (!sig.inputs.is_empty()).then(|| quote!(move));
    let closure = quote!(#asyncness #capture || #output #body);

    let builder = match kind {
        Kind::Main => quote!(#loom::__private::LoomBuilder::new() #calls),
        Kind::Test => quote!(#loom::__private::test_builder() #calls),
    };
    let should_panic = attrs.iter().any(|attr| attr.path().is_ident("should_panic"));
    let run = match (kind, sig.asyncness.is_some(), arms) {
        (Kind::Main, ..) => quote!(#loom::__private::run_main(#builder, #closure)),
        (Kind::Test, true, Arms::Both) => {
            quote!(#loom::__private::run_test_on_both(#should_panic, || #builder, #closure))
        }
        (Kind::Test, false, Arms::Both) => {
            quote!(#loom::__private::run_plain_test_on_both(#should_panic, || #builder, #closure))
        }
        (Kind::Test, true, arms) => {
            let builder = forced(builder, *arms);
            quote!(#loom::__private::run_test(#builder, #closure))
        }
        (Kind::Test, false, arms) => {
            let builder = forced(builder, *arms);
            quote!(#loom::__private::run_plain_test(#builder, #closure))
        }
    };
    // Last, so that attributes below this one find it, and make tests of their own with it.
    let test = (kind == Kind::Test).then(|| quote!(#[#loom::__private::prelude::v1::test]));
    quote! {
        #(#attrs)*
        #(#inner_attrs)*
        #test
        #vis #outer {
            #run
        }
    }
}

fn forced(builder: TokenStream, arms: Arms) -> TokenStream {
    match arms {
        Arms::Inline => quote!(#builder.always_inline()),
        Arms::Offload => quote!(#builder.always_offload()),
        Arms::Chosen | Arms::Both => builder,
    }
}

/// What stands beside errors: a function that its callers find, and the body, so that what it
/// uses is used.
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
    if kind == Kind::Main || test.is_some() {
        function.sig.inputs.clear();
    }
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

/// The signature without what a plain function of these has not.
fn outer(sig: &Signature) -> Signature {
    let mut outer = sig.clone();
    outer.asyncness = None;
    outer.constness = None;
    outer.safety = Safety::Default;
    outer.abi = None;
    outer.variadic = None;
    outer
}
