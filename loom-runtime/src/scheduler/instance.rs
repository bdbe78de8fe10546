//! Which of a function's instances a site is about, and what that one is called.

use std::any::TypeId;

use super::FunctionKey;

/// One function as it was compiled: with its types, and with where it stands.
#[derive(Debug)]
pub(super) struct Instance {
    /// The closure that the attribute makes, which no two instances share.
    pub(super) of: TypeId,
    pub(super) name: &'static str,
    pub(super) key: FunctionKey,
}

impl Instance {
    /// Of the function at `path`; `key` is made from that and from where it stands.
    pub(super) fn of_item(
        of: TypeId,
        closure: &'static str,
        path: &'static str,
        key: FunctionKey,
    ) -> Self {
        let name = function_of(closure, path);
        Self { of, name, key: if name == path { key } else { key.and(name) } }
    }

    /// Of a function that was given a name of its own.
    pub(super) fn of_name(of: TypeId, closure: &'static str, given: &'static str) -> Self {
        let function = function_of(closure, given);
        // Types are what instances differ by.
        let name = if function.contains('<') {
            String::leak(format!("{given} ({function})"))
        } else {
            given
        };
        Self { of, name, key: FunctionKey::from_path(name) }
    }
}

/// The function that a closure is made in, from the closure's name: the item path, with the
/// types of generic functions and of methods, and with the functions around a local one.
///
/// It is `path` itself where it is nothing else.
fn function_of(closure: &'static str, path: &'static str) -> &'static str {
    let mut end = closure;
    while let Some(rest) = end.strip_suffix(CLOSURE) {
        end = rest;
    }
    let name = without_closures(end);
    if name == path {
        path
    } else if name.len() == end.len() {
        end
    } else {
        // Once an instance.
        name.leak()
    }
}

const CLOSURE: &str = "::{{closure}}";

/// `name` without the bodies of the functions in it, but for those that are part of a type.
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
            // `->` closes nothing.
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
            assert_eq!(function_of(closure, "shop::sum"), function);
        }
    }
}
