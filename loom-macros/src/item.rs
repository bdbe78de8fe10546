//! The annotated function: signature parsed, body kept as tokens.
//!
//! The body never goes through a parser, so that an editor can complete inside one that
//! is not finished yet, and every span in it stays the user's.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility, parse_quote};

use crate::body::mentions;

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    /// What stands where a body should; one that cannot be reached stands in for it.
    pub(crate) missing: Option<TokenTree>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let mut end: TokenTree = input.parse()?;
        // What a macro hands on comes in invisible brackets.
        while let TokenTree::Group(group) = &end
            && group.delimiter() == Delimiter::None
            && let Some(inner) = group.stream().into_iter().next()
        {
            end = inner;
        }
        let (body, missing) = match end {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => (body, None),
            other => {
                // The arguments cannot be used in what is not there.
                attrs.push(parse_quote!(#[allow(unused_variables)]));
                let unreachable = quote!(::core::unreachable!());
                (Group::new(Delimiter::Brace, unreachable), Some(other))
            }
        };
        Ok(Self { attrs, vis, sig, body, missing })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body, missing } = self;
        let end = match missing {
            Some(end) if self.is_of_a_trait() => end.to_token_stream(),
            _ => body.to_token_stream(),
        };
        tokens.extend(quote!(#(#attrs)* #vis #sig #end));
    }
}

impl Function {
    /// What is wrong with it where it has no body.
    pub(crate) fn fault(&self) -> Option<syn::Error> {
        let way_out = if self.is_of_a_trait() {
            "expected a body: in a trait, the attribute goes on those of its implementations"
        } else {
            "expected a body: `{ ... }`"
        };
        self.missing.as_ref().map(|end| syn::Error::new_spanned(end, way_out))
    }

    /// Whether a function without a body can only be one that a trait declares.
    fn is_of_a_trait(&self) -> bool {
        self.sig.receiver().is_some() || mentions(self.sig.to_token_stream(), "Self")
    }
}
