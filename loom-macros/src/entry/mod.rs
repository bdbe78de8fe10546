//! `#[loom::main]` and `#[loom::test]`: parse, validate, expand.

mod args;
mod expand;
mod kind;
mod literal;

use proc_macro2::TokenStream;
use syn::{Attribute, Safety};

use crate::attributes::{entry_of, is_compute};
use crate::diag::Diagnostics;
use crate::item::Function;
use crate::recover::{beside, parse_function};

use args::Settings;
pub(crate) use args::duration;
pub(crate) use kind::Kind;
pub(crate) use literal::duration as parse_duration;

pub(crate) fn entry(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let settings = args::parse(kind, args, &mut diag);
    let (mut function, mut diag) = match parse_function(kind.name(), item, diag) {
        Ok(parsed) => parsed,
        Err(errors) => return errors,
    };
    validate(kind, &settings, &function, &mut diag);
    if diag.is_empty() {
        return expand::expand(kind, &settings, &function);
    }
    // Attributes that were reported would cause further errors.
    function.attrs.retain(|attr| {
        entry_of(attr).is_none() && !attr.path().is_ident("test") && !is_compute(attr)
    });
    beside(diag, expand::unplaced(kind, &settings, function))
}

fn validate(kind: Kind, settings: &Settings, function: &Function, diag: &mut Diagnostics) {
    let sig = &function.sig;
    let name = kind.name();
    if kind == Kind::Main && sig.asyncness.is_none() {
        diag.at(sig.fn_token, format!("expected `async fn` below `#[{name}]`"));
    }
    if let Some(constness) = &sig.constness {
        diag.at(constness, format!("a function below `#[{name}]` cannot be `const`"));
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        diag.at(unsafety, format!("a function below `#[{name}]` cannot be `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        diag.at(abi, format!("a function below `#[{name}]` cannot be `extern`"));
    }
    arguments(kind, settings, function, diag);
    if !sig.generics.params.is_empty() {
        diag.at(&sig.generics, format!("a function below `#[{name}]` cannot be generic"));
    }
    for attr in &function.attrs {
        attribute(kind, attr, diag);
    }
}

/// A test may have arguments if another attribute, below this one, supplies them.
fn arguments(kind: Kind, settings: &Settings, function: &Function, diag: &mut Diagnostics) {
    let sig = &function.sig;
    let name = kind.name();
    if sig.inputs.is_empty() {
        return;
    }
    if kind == Kind::Main {
        diag.at(&sig.inputs, format!("a function below `#[{name}]` takes no arguments"));
    } else if !function.attrs.iter().any(may_give_arguments) {
        diag.at(
            &sig.inputs,
            format!(
                "a function below `#[{name}]` takes no arguments, unless an attribute below this \
                 one, such as `#[rstest]` or `#[test_case]`, gives them"
            ),
        );
    } else if settings.arms == args::Arms::Both {
        diag.at(
            &sig.inputs,
            "a test with `arm = \"both\"` runs twice, and its arguments are there but once: put \
             the attribute that gives them above this one",
        );
    }
}

/// Attributes of the language, which supply no arguments.
const GIVE_NONE: &[&str] = &[
    "allow",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "should_panic",
    "track_caller",
    "warn",
];

/// Whether an attribute may supply arguments.
fn may_give_arguments(attr: &Attribute) -> bool {
    let path = attr.path();
    let of_a_tool = path.segments.len() > 1
        && ["clippy", "diagnostic", "rustfmt"].iter().any(|tool| path.segments[0].ident == tool);
    entry_of(attr).is_none() && !of_a_tool && !GIVE_NONE.iter().any(|name| path.is_ident(name))
}

fn attribute(kind: Kind, attr: &Attribute, diag: &mut Diagnostics) {
    let name = kind.name();
    match entry_of(attr) {
        Some(other) if other == name => diag.at(attr, format!("`#[{name}]` is given twice")),
        Some(other) if other.starts_with("loom") => {
            diag.at(attr, format!("a function cannot be both `#[{name}]` and `#[{other}]`"));
        }
        Some(_) => diag.at(
            attr,
            format!("`#[{name}]` builds the tokio runtime itself: remove this attribute"),
        ),
        None => {}
    }
    if is_compute(attr) {
        diag.at(
            attr,
            format!("a function below `#[{name}]` cannot be a compute function: call one from it"),
        );
    }
    if kind == Kind::Test && attr.path().is_ident("test") {
        diag.at(attr, "`#[loom::test]` makes a test of it already: remove this attribute");
    }
}
