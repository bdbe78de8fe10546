//! `#[loom::compute]`: parse, validate, expand.

mod args;
mod expand;
mod validate;

use proc_macro2::TokenStream;

use crate::diag::Diagnostics;
use crate::recover::{beside, parse_function};

pub(crate) fn compute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let args = args::parse(args, &mut diag);
    let (function, mut diag) = match parse_function("loom::compute", item, diag) {
        Ok(parsed) => parsed,
        Err(errors) => return errors,
    };
    validate::validate(&function, &mut diag);
    if let Some(size) = &args.size {
        validate::size(size, &function, &mut diag);
    }
    if diag.is_empty() {
        expand::expand(&args, &function)
    } else {
        beside(diag, expand::unplaced(&function))
    }
}
