//! What is emitted beside errors: the item, so that code that uses it still finds it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::diag::Diagnostics;
use crate::item::Function;

/// The function; or the errors, beside the item that the attribute stands on.
pub(crate) fn parse_function(
    attribute: &str,
    item: TokenStream,
    mut diag: Diagnostics,
) -> Result<(Function, Diagnostics), TokenStream> {
    match Function::parse(item.clone()) {
        Ok(function) => {
            if let Some(fault) = function.fault() {
                diag.add(fault);
            }
            Ok((function, diag))
        }
        Err(error) => {
            if is_function(&item) {
                diag.add(error);
            } else {
                diag.at_span(error.span(), format!("expected a function below `#[{attribute}]`"));
            }
            Err(beside(diag, item))
        }
    }
}

/// The errors, and `item` beside them.
pub(crate) fn beside(diag: Diagnostics, item: impl ToTokens) -> TokenStream {
    let errors = diag.into_tokens();
    quote!(#errors #item)
}

/// Whether the tokens were meant as a function.
fn is_function(item: &TokenStream) -> bool {
    item.clone().into_iter().any(|token| token.to_string() == "fn")
}
