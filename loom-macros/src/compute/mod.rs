//! `#[loom::compute]`: parse, validate, expand.

mod args;
mod borrow;
mod expand;
mod fleet;
mod params;
mod validate;
mod variants;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;

use crate::body::Words;
use crate::diag::Diagnostics;
use crate::recover::{beside, parse_function};

pub(crate) fn compute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    #[cfg_attr(not(feature = "hints"), expect(unused_mut))]
    let mut args = args::parse(args, &mut diag);
    let (function, mut diag) = match parse_function("loom::compute", item, diag) {
        Ok(parsed) => parsed,
        Err(errors) => return errors,
    };
    let words = Words::of(function.body.stream(), &function.sig.ident.unraw().to_string());
    validate::validate(&args, &function, &words, &mut diag);
    #[cfg(feature = "hints")]
    args.look_up(&function.sig.ident.unraw().to_string(), &mut diag);
    let variants = variants::variants(function, &mut diag);
    if diag.is_empty() {
        variants.iter().map(|function| expand::expand(&args, function, &words)).collect()
    } else {
        let variants = variants.iter().map(|function| expand::unplaced(function, args.scope));
        beside(diag, variants.collect::<TokenStream>())
    }
}
