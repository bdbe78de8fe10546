//! Changes of overrides, and the lines that tell of them.

use crate::config::{Override, check_name, nearest};
use crate::core::{Core, Function, Rule};
use crate::error::Source;
use crate::threads::say;

/// What became of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overridden {
    /// The functions that it names, of those that were called so far; each instance and each class of
    /// inputs counts.
    pub functions: usize,
    /// Where it names none: the path of one that was called and has a similar name.
    pub nearest: Option<&'static str>,
}

/// Overrides what the code says of the functions of a name, from now on, and says so on standard error.
pub(crate) fn override_functions(
    core: &Core,
    name: &str,
    over: Override,
    source: Source,
) -> Overridden {
    if let Err(why) = check_name(name) {
        say(&format!("{why} ({source}); nothing is overridden"));
        return Overridden { functions: 0, nearest: None };
    }
    let rule = Rule::new(name, over, source);
    core.overrides.set(rule.clone());
    let named: Vec<_> = core.functions().filter(|function| rule.names(function.site)).collect();
    // Settled calls stand until then.
    for function in &named {
        function.record.end_verdicts();
        // Those that wait learn of it now.
        if let Some(gate) = function.gate_if_any() {
            let limit =
                of(core, function).max_concurrent.or_else(|| function.site.max_concurrent());
            gate.set_limit(limit.map_or(usize::MAX, |calls| calls as usize));
        }
    }
    let paths = core.functions().map(|function| function.site.path());
    let nearest = nearest(name, paths).filter(|_| named.is_empty() && rule.is_exact());
    let called = match (named.len(), nearest) {
        (0, Some(near)) => format!("; none was called yet: did you mean `{near}`?"),
        (0, None) => "; none was called yet".to_owned(),
        (1, _) => String::new(),
        (n, _) => format!("; {n} were called so far"),
    };
    say(&format!("override of `{name}`: {over}, {}{called}", rule.source));
    Overridden { functions: named.len(), nearest }
}

/// The override that applies to a function.
pub(super) fn of(core: &Core, function: &Function) -> Override {
    core.overrides.of(function.site, &function.applied, |rule, path| {
        let Rule { name, source, .. } = rule;
        say(&format!("no function `{name}` was called yet ({source}): did you mean `{path}`?"));
    })
}
