//! The instance of a function that a site stands for, and the names and key of that instance.

use std::any::TypeId;

use super::FunctionKey;

/// One compiled instance of a function, with its types and its place in the source.
#[derive(Debug)]
pub(super) struct Instance {
    /// The type of the closure that the attribute makes; no two instances share it.
    pub(super) of: TypeId,
    /// The item path without types.
    pub(super) path: &'static str,
    /// The name in reports: the given name or the item path, with types.
    pub(super) name: &'static str,
    pub(super) key: FunctionKey,
}

impl Instance {
    /// The instance of an item in a module, with the item's key. `given` is the name from
    /// `key = "…"`.
    pub(super) fn new(
        of: TypeId,
        closure: &'static str,
        (module, item): (&'static str, &'static str),
        given: Option<&'static str>,
        key: FunctionKey,
    ) -> Self {
        let function = function_of(closure);
        let path = format!("{module}::{item}");
        // Leaks once per instance.
        let path = if function == path { function } else { path.leak() };
        let (name, key) = match given {
            // Instances differ by their types, so the given name alone would not be unique.
            Some(given) if function.contains('<') => {
                let name = format!("{given} ({function})").leak();
                (&*name, FunctionKey::from_path(name))
            }
            Some(given) => (given, FunctionKey::from_path(given)),
            None if function == path => (path, key),
            None => (function, key.and(function)),
        };
        Self { of, path, name, key }
    }
}

/// The function that makes a closure, read from the closure's name: the item path, with the types
/// of generic functions and of methods, and with the functions that enclose a local one.
pub(super) fn function_of(closure: &'static str) -> &'static str {
    let mut end = closure;
    while let Some(rest) = end.strip_suffix(CLOSURE) {
        end = rest;
    }
    let name = without_closures(end);
    // Leaks once per instance.
    if name.len() == end.len() { end } else { name.leak() }
}

const CLOSURE: &str = "::{{closure}}";

/// Whether the name is that of a closure.
pub(super) fn is_closure(name: &str) -> bool {
    name.ends_with(CLOSURE)
}

/// `name` without the closure segments in it, except those that are part of a type.
fn without_closures(name: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(CLOSURE).filter(|_| depth == 0) {
            rest = after;
            continue;
        }
        match first {
            '<' => depth += 1,
            // The `>` of `->` closes no bracket.
            '>' if !kept.ends_with('-') => depth = depth.saturating_sub(1),
            _ => {}
        }
        kept.push(first);
        rest = &rest[first.len_utf8()..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::function_of;

    #[test]
    fn a_closure_is_named_after_its_function() {
        for (closure, function) in [
            ("shop::sum::{{closure}}::{{closure}}", "shop::sum"),
            ("shop::main::{{closure}}::sum::{{closure}}::{{closure}}", "shop::main::sum"),
            ("<shop::Cart as shop::Priced>::sum::{{closure}}", "<shop::Cart as shop::Priced>::sum"),
            (
                "shop::map<u8, shop::main::{{closure}}>::{{closure}}",
                "shop::map<u8, shop::main::{{closure}}>",
            ),
            (
                "shop::main::{{closure}}::map<fn(u8) -> u8>::{{closure}}",
                "shop::main::map<fn(u8) -> u8>",
            ),
        ] {
            assert_eq!(function_of(closure), function);
        }
    }
}
