//! Hints from outside the code: a file beside `Cargo.toml` that maps item paths to words.
//!
//! A macro does not know the module of the function. So it takes from the file every entry whose
//! last part is the function's name, and the compiler selects the right one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use toml::{Table, Value};

use crate::diag::{Diagnostics, nearest, one_of};
use crate::words::HINTS;

/// The default name of the file.
const FILE: &str = "loom-hints.toml";
/// The environment variable that names another file.
const VARIABLE: &str = "LOOM_HINTS";

/// The hints in the file for functions of one name.
pub(crate) struct Hints {
    /// An expression of the function's hint, if the file has entries for the name.
    pub(crate) hint: Option<TokenStream>,
    /// Code that makes the compiler read the file again when it changes, and that registers the
    /// function for the program.
    pub(crate) registered: TokenStream,
}

/// The hints for functions of that name.
pub(crate) fn of(item: &str, loom: &syn::Path, diag: &mut Diagnostics) -> Hints {
    // Makes the compiler expand again when the variable changes.
    let mut registered = quote! {
        const _: ::core::option::Option<&::core::primitive::str> = ::core::option_env!("LOOM_HINTS");
    };
    let Some(path) = file() else { return Hints { hint: None, registered } };
    let entries = match read(&path) {
        Ok(entries) => entries,
        Err(Some(problem)) => {
            diag.at_span(Span::call_site(), format!("cannot use `{}`: {problem}", path.display()));
            return Hints { hint: None, registered };
        }
        // The expansion of another function has reported the problem.
        Err(None) => return Hints { hint: None, registered },
    };
    let mut table = Vec::new();
    for (entry, word) in &entries {
        if entry.rsplit("::").next() != Some(item) {
            continue;
        }
        let (words, variants) = HINTS;
        // Reading has checked the words.
        let Some(at) = words.iter().position(|known| known == word) else { continue };
        let variant = Ident::new(variants[at], Span::call_site());
        table.push(quote!((#entry, #loom::__private::ComputeHint::#variant)));
    }
    let file = path.display().to_string();
    registered.extend(quote! {
        const _: () = {
            #[#loom::__private::linkme::distributed_slice(#loom::__private::HINTED)]
            #[linkme(crate = #loom::__private::linkme)]
            static __LOOM_HINTED: #loom::__private::Hinted = #loom::__private::Hinted {
                module: #loom::__private::module_path!(),
                item: #item,
                file: #file,
                text: ::core::include_str!(#file),
            };
        };
    });
    let hint = (!table.is_empty()).then(|| {
        quote! {
            #loom::__private::hint_of(#loom::__private::module_path!(), #item, &[#(#table),*])
        }
    });
    Hints { hint, registered }
}

/// The file, if there is one.
fn file() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    match env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        // A missing file is reported when it is read. But packages that this one depends on have
        // no such file, and the variable is not meant for them.
        Some(named) => {
            let path = folder.join(named);
            let is_primary = env::var_os("CARGO_PRIMARY_PACKAGE").is_some();
            (is_primary || path.is_file()).then_some(path)
        }
        None => Some(folder.join(FILE)).filter(|path| path.is_file()),
    }
}

type Entries = Vec<(String, String)>;

/// The entries of the file, or its error; only the first caller receives the text of an error.
fn read(path: &Path) -> Result<Entries, Option<String>> {
    /// The file that was read last, its text, and its entries unless it had an error.
    type Last = (PathBuf, String, Option<Entries>);
    static LAST: Mutex<Option<Last>> = Mutex::new(None);
    let read = fs::read_to_string(path);
    let text = read.as_ref().map_or_else(ToString::to_string, Clone::clone);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((last_path, last_text, entries)) = &*last
        && last_path == path
        && *last_text == text
    {
        return entries.clone().ok_or(None);
    }
    let entries = match read {
        Ok(text) => parse(&text),
        Err(error) => Err(error.to_string()),
    };
    *last = Some((path.to_owned(), text, entries.clone().ok()));
    entries.map_err(Some)
}

/// Paths and words, from keys such as `"shop::images::resize"`, or from nested tables.
fn parse(text: &str) -> Result<Entries, String> {
    fn flatten(above: &str, table: &Table, entries: &mut Entries) -> Result<(), String> {
        for (key, value) in table {
            let path = if above.is_empty() { key.clone() } else { format!("{above}::{key}") };
            match value {
                Value::String(word) if HINTS.0.contains(&&**word) => {
                    entries.push((path, word.clone()));
                }
                Value::String(word) => {
                    let hint = match nearest(word, HINTS.0) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("expected {}", one_of(HINTS.0)),
                    };
                    return Err(format!("unknown hint `{word}` for `{path}`; {hint}"));
                }
                Value::Table(below) => flatten(&path, below, entries)?,
                _ => return Err(format!("expected `{path} = \"low\"` or another hint")),
            }
        }
        Ok(())
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut entries = Vec::new();
    flatten("", &table, &mut entries)?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn entries_are_paths_or_tables_of_them() {
        let text = "\"shop::sum\" = \"high\"\n[shop.images]\nresize = \"low\"\n";
        let expected = [("shop::images::resize", "low"), ("shop::sum", "high")];
        let mut entries = parse(text).expect("it is a file of hints");
        entries.sort();
        assert_eq!(entries, expected.map(|(path, word)| (path.to_owned(), word.to_owned())));
        assert!(parse("shop = 3").is_err_and(|error| error.contains("shop")));
        assert!(parse("shop =").is_err());
        let error = parse("a.b = \"hihg\"").expect_err("it is no hint");
        assert_eq!(error, "unknown hint `hihg` for `a::b`; did you mean `high`?");
    }
}
