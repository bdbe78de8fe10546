//! Attributes that are recognised by their path, since they may stand above or below a Loom one.

use syn::Attribute;

/// Whether the attribute is `#[loom::compute]`.
pub(crate) fn is_compute(attr: &Attribute) -> bool {
    let mut path = attr.path().segments.iter();
    path.next().is_some_and(|krate| krate.ident == "loom")
        && path.next().is_some_and(|word| word.ident == "compute")
        && path.next().is_none()
}

/// The name of the attribute, if it makes a function the entry of a runtime.
pub(crate) fn entry_of(attr: &Attribute) -> Option<&'static str> {
    let mut path = attr.path().segments.iter();
    let krate = path.next()?.ident.to_string();
    let word = path.next()?.ident.to_string();
    match (&*krate, &*word) {
        ("tokio", "main") => Some("tokio::main"),
        ("tokio", "test") => Some("tokio::test"),
        ("loom", "main") => Some("loom::main"),
        ("loom", "test") => Some("loom::test"),
        _ => None,
    }
}

/// Attributes of the compiler and of tools that expand to nothing. Any other one may make code, which
/// may name an argument.
const INERT: &[&str] = &[
    "allow",
    "automatically_derived",
    "clippy",
    "cold",
    "deny",
    "deprecated",
    "diagnostic",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "inline",
    "link_section",
    "must_use",
    "no_mangle",
    "rustfmt",
    "unsafe",
    "warn",
];

/// Whether the attribute makes no code.
pub(crate) fn is_inert(attr: &Attribute) -> bool {
    // The macro's own variants and the user's conditions decide only whether the function is there.
    let first = attr.path().segments.first().map(|word| word.ident.to_string());
    first.is_some_and(|word| word == "cfg" || INERT.contains(&&*word))
}
