//! `#[loom::compute]`: parse, validate, expand.

mod args;
mod borrow;
mod expand;
mod validate;
mod variants;

use proc_macro2::TokenStream;

use crate::diag::Diagnostics;
use crate::recover::{beside, parse_function};

pub(crate) use validate::is_compute;

pub(crate) fn compute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let args = args::parse(args, &mut diag);
    let (function, mut diag) = match parse_function("loom::compute", item, diag) {
        Ok(parsed) => parsed,
        Err(errors) => return errors,
    };
    validate::validate(&args, &function, &mut diag);
    let variants = variants::variants(&function, &mut diag);
    if diag.is_empty() {
        variants.iter().map(|function| expand::expand(&args, function)).collect()
    } else {
        beside(diag, expand::unplaced(&function, args.scope))
    }
}
