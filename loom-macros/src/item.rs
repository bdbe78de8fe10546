//! The annotated function: its signature is parsed, its body stays tokens.
//!
//! The body never passes through a parser, so that an editor can complete inside an unfinished
//! body, and every span in it stays the user's.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, PatType, Signature, Visibility, parse_quote};

use crate::body::mentions;

/// The functions that an expansion calls take so many arguments one by one; the last one is a tuple of all that
/// are too many.
pub(crate) const MOST_ARGUMENTS: usize = 12;

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    /// The token that stands in place of a body. `body` is then an unreachable one.
    pub(crate) missing: Option<TokenTree>,
}

impl Function {
    /// Reads a function. The body, its last token, never reaches the parser, which would copy it
    /// token by token.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        let (head, body) = split(item);
        let parse = |input: ParseStream<'_>| -> syn::Result<_> {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis: Visibility = input.parse()?;
            let sig: Signature = input.parse()?;
            // A semicolon, if there is no body.
            let rest: Option<TokenTree> =
                if input.is_empty() { None } else { Some(input.parse()?) };
            Ok((attrs, vis, sig, rest))
        };
        let (mut attrs, vis, sig, rest) = parse.parse2(head)?;
        match (body, rest) {
            (Some(body), None) => Ok(Self { attrs, vis, sig, body, missing: None }),
            (None, None) => Err(syn::Error::new_spanned(sig, "expected a body: `{ ... }`")),
            (body, rest) => {
                let missing = rest.or_else(|| body.map(TokenTree::Group));
                // A body that is missing cannot use the arguments.
                attrs.push(parse_quote!(#[allow(unused_variables)]));
                let body = Group::new(Delimiter::Brace, quote!(::core::unreachable!()));
                Ok(Self { attrs, vis, sig, body, missing })
            }
        }
    }
}

/// Everything but the body, and the body if the last token is one.
fn split(item: TokenStream) -> (TokenStream, Option<Group>) {
    let mut head: Vec<TokenTree> = item.into_iter().collect();
    match head.pop() {
        // What a macro passes on has invisible brackets.
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            let (more, body) = split(group.stream());
            (head.into_iter().chain(more).collect(), body)
        }
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
            (head.into_iter().collect(), Some(body))
        }
        last => (head.into_iter().chain(last).collect(), None),
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
    /// The error of a function without a body.
    pub(crate) fn fault(&self) -> Option<syn::Error> {
        let way_out = if self.is_of_a_trait() {
            "expected a body: in a trait, the attribute goes on those of its implementations"
        } else {
            "expected a body: `{ ... }`"
        };
        self.missing.as_ref().map(|end| syn::Error::new_spanned(end, way_out))
    }

    /// Whether a function without a body can only be a declaration in a trait.
    fn is_of_a_trait(&self) -> bool {
        self.sig.receiver().is_some() || mentions(self.sig.to_token_stream(), "Self")
    }
}

/// The arguments except `self`.
pub(crate) fn typed_mut(sig: &mut Signature) -> impl Iterator<Item = &mut PatType> {
    sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(arg) => Some(arg),
        FnArg::Receiver(_) => None,
    })
}
