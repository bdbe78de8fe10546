//! Functions whose arguments depend on `cfg`.
//!
//! The compiler removes such an argument from the signature, but not from calls. So there is a
//! function for each case, and each function has the `cfg` of its case.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, FnArg, Meta, parse_quote};

use crate::diag::Diagnostics;
use crate::item::Function;

/// Each condition doubles the number of functions.
const MOST_CONDITIONS: usize = 4;

/// One function for each case of the conditions on its arguments; the function itself if there are
/// no conditions.
pub(super) fn variants(function: Function, diag: &mut Diagnostics) -> Vec<Function> {
    let mut conditions: Vec<String> = Vec::new();
    for input in &function.sig.inputs {
        for condition in conditions_of(input) {
            if conditions.contains(&condition.to_string()) {
                continue;
            }
            if conditions.len() == MOST_CONDITIONS {
                diag.at(
                    input,
                    format!(
                        "a compute function takes at most {MOST_CONDITIONS} different `cfg` on \
                         its arguments: put some of them in a struct"
                    ),
                );
                return vec![function.clone()];
            }
            conditions.push(condition.to_string());
        }
    }
    if conditions.is_empty() {
        return vec![function];
    }
    (0..1_usize << conditions.len()).map(|case| variant(&function, &conditions, case)).collect()
}

/// The function for the case in which exactly the conditions hold whose bits are set in `case`.
fn variant(function: &Function, conditions: &[String], case: usize) -> Function {
    let holds = |condition: &str| {
        conditions.iter().position(|known| known == condition).is_none_or(|i| case >> i & 1 == 1)
    };
    let mut function = function.clone();
    let mut inputs = std::mem::take(&mut function.sig.inputs);
    for condition in inputs.iter().flat_map(conditions_of).filter(|c| !holds(&c.to_string())) {
        function.attrs.push(parse_quote!(#[cfg(not(#condition))]));
    }
    for condition in inputs.iter().flat_map(conditions_of).filter(|c| holds(&c.to_string())) {
        function.attrs.push(parse_quote!(#[cfg(#condition)]));
    }
    for input in &mut inputs {
        if !conditions_of(input).all(|condition| holds(&condition.to_string())) {
            continue;
        }
        let attrs = match input {
            FnArg::Receiver(receiver) => &mut receiver.attrs,
            FnArg::Typed(arg) => &mut arg.attrs,
        };
        attrs.retain(|attr| condition(attr).is_none());
        function.sig.inputs.push(input.clone());
    }
    function
}

fn conditions_of(input: &FnArg) -> impl Iterator<Item = TokenStream> {
    let attrs = match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(arg) => &arg.attrs,
    };
    attrs.iter().filter_map(condition)
}

/// The condition in `#[cfg(...)]`.
fn condition(attr: &Attribute) -> Option<TokenStream> {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = &list.tokens;
            Some(quote!(#condition))
        }
        _ => None,
    }
}
