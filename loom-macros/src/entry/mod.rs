//! `#[loom::main]` and `#[loom::test]`: parse, validate, expand.

mod args;
mod expand;

use proc_macro2::TokenStream;
use syn::Attribute;

use crate::diag::Diagnostics;
use crate::item::Function;
use crate::recover::{beside, parse_function};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Main => "loom::main",
            Self::Test => "loom::test",
        }
    }
}

pub(crate) fn entry(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let settings = args::parse(args, &mut diag);
    let (mut function, mut diag) = match parse_function(kind.name(), item, diag) {
        Ok(parsed) => parsed,
        Err(errors) => return errors,
    };
    validate(kind, &function, &mut diag);
    // Where it was an error it would cause a second one.
    function.attrs.retain(|attr| !is_tokio_entry(attr));
    let expanded = expand::expand(kind, &settings, &function);
    if diag.is_empty() { expanded } else { beside(diag, expanded) }
}

fn validate(kind: Kind, function: &Function, diag: &mut Diagnostics) {
    let sig = &function.sig;
    let name = kind.name();
    if sig.asyncness.is_none() {
        diag.at(sig.fn_token, format!("expected `async fn` below `#[{name}]`"));
    }
    if let Some(constness) = &sig.constness {
        diag.at(constness, format!("a function below `#[{name}]` cannot be `const`"));
    }
    if let Some(abi) = &sig.abi {
        diag.at(abi, format!("a function below `#[{name}]` cannot be `extern`"));
    }
    if !sig.inputs.is_empty() {
        diag.at(&sig.inputs, format!("a function below `#[{name}]` takes no arguments"));
    }
    if !sig.generics.params.is_empty() {
        diag.at(&sig.generics, format!("a function below `#[{name}]` cannot be generic"));
    }
    for attr in function.attrs.iter().filter(|attr| is_tokio_entry(attr)) {
        diag.at(
            attr,
            format!("`#[{name}]` builds the tokio runtime itself: remove this attribute"),
        );
    }
}

fn is_tokio_entry(attr: &Attribute) -> bool {
    let mut path = attr.path().segments.iter();
    path.next().is_some_and(|krate| krate.ident == "tokio")
        && path.next().is_some_and(|word| word.ident == "main" || word.ident == "test")
}
