//! Error texts, and their collection, so that all errors are reported at once.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Diagnostics(Option<syn::Error>);

impl Diagnostics {
    /// Adds a mistake at `culprit`.
    pub(crate) fn at(&mut self, culprit: impl ToTokens, message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(culprit, message));
    }

    /// Adds a mistake at one place in the source.
    pub(crate) fn at_span(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(syn::Error::new(span, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Keeps the value of a result, or its error.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All mistakes as `compile_error!`s; `None` if there are none.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.0.map(syn::Error::into_compile_error)
    }
}

/// Code as a person writes it: tokens print with a space after each.
pub(crate) fn shown(code: impl ToTokens) -> String {
    const WITHOUT_SPACES: &[(&str, &str)] = &[
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :", ":"),
        (" (", "("),
        ("& ", "&"),
        ("* ", "*"),
    ];
    let code = code.to_token_stream().to_string();
    WITHOUT_SPACES.iter().fold(code, |code, (spaced, bare)| code.replace(spaced, bare))
}

/// `one of "a", "b"` for an error text.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    format!("one of {}", quoted.join(", "))
}

/// The known word nearest to `word`, if it is near enough to be the one that was meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    /// A Jaro-Winkler similarity; below it, the suggested words hardly share a letter.
    const NEAR: f64 = 0.8;
    let similarity = |other: &&str| strsim::jaro_winkler(word, other);
    known
        .iter()
        .copied()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .filter(|best| similarity(best) > NEAR)
}
