//! What `#[loom::main]` and `#[loom::test]` generate: the body as an `async fn` inside a
//! plain one that builds the runtime.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Token;
use syn::punctuated::Punctuated;

use super::Kind;
use super::args::Settings;
use crate::item::Function;

pub(super) fn expand(kind: Kind, settings: &Settings, function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, body, .. } = function;
    let Settings { loom, calls } = settings;

    let mut outer = sig.clone();
    outer.asyncness = None;
    outer.constness = None;
    outer.abi = None;
    // Arguments and generics are errors; without them those stay the only ones.
    outer.inputs = Punctuated::new();
    outer.generics = syn::Generics::default();

    let mut inner = outer.clone();
    inner.asyncness = Some(Token![async](sig.fn_token.span));
    inner.ident = format_ident!("__loom_body", span = sig.ident.span());
    inner.inputs.clone_from(&sig.inputs);
    let name = &inner.ident;

    let (test, builder, run) = match kind {
        Kind::Main => (None, quote!(LoomBuilder::new()), quote!(run_main)),
        Kind::Test => (
            Some(quote!(#[#loom::__private::prelude::v1::test])),
            quote!(test_builder()),
            quote!(run_test),
        ),
    };
    let run = if sig.inputs.is_empty() {
        quote!(#loom::__private::#run(#loom::__private::#builder #calls, #name()))
    } else {
        quote!(::core::unreachable!())
    };
    quote! {
        #test
        #(#attrs)*
        #vis #outer {
            #[allow(clippy::unused_async)]
            #inner #body
            #run
        }
    }
}
