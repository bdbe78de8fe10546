//! What can be found out about a body, and about other code, without parsing it.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;

/// Splits off the attributes at the start of a body that apply to all of it (`#![...]`), as
/// attributes that stand before the function.
pub(crate) fn leading_attributes(body: &Group) -> (Vec<TokenStream>, Group) {
    let mut attributes = Vec::new();
    // Nearly every body has none.
    if !matches!(body.stream().into_iter().next(), Some(TokenTree::Punct(p)) if p.as_char() == '#')
    {
        return (attributes, body.clone());
    }
    let mut tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    while let [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(inner), ..] =
        &tokens[..]
        && hash.as_char() == '#'
        && bang.as_char() == '!'
        && inner.delimiter() == Delimiter::Bracket
    {
        attributes.push(quote!(#hash #inner));
        tokens.drain(..3);
    }
    if attributes.is_empty() {
        return (attributes, body.clone());
    }
    let mut rest = Group::new(body.delimiter(), tokens.into_iter().collect());
    rest.set_span(body.span());
    (attributes, rest)
}

/// A block with the span of the body. A function is taken for the macro's if parts of it have the
/// macro's spans, and lints do not report on those.
pub(crate) fn in_place_of(body: &Group, tokens: TokenStream) -> Group {
    let mut block = Group::new(Delimiter::Brace, tokens);
    block.set_span(body.span());
    block
}

/// Which words a body contains. Most bodies have none, and need no closer analysis.
#[derive(Default)]
pub(crate) struct Words {
    /// The function's own name.
    pub(crate) its_name: bool,
    /// `await`, or a macro that awaits.
    may_await: bool,
    /// The first place where the body itself awaits.
    pub(crate) first_await: Option<Ident>,
}

impl Words {
    pub(crate) fn of(body: TokenStream, name: &str) -> Self {
        let mut words = Self::default();
        words.visit(body.clone(), name);
        if words.may_await {
            words.first_await = find_await(body);
        }
        words
    }

    fn visit(&mut self, tokens: TokenStream, name: &str) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.visit(group.stream(), name),
                TokenTree::Ident(ident) => {
                    let word = ident.to_string();
                    self.may_await |= word == "await" || AWAIT.contains(&&*word);
                    self.its_name |= word.strip_prefix("r#").unwrap_or(&word) == name;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

/// Whether a word occurs anywhere in the tokens.
pub(crate) fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), word),
        TokenTree::Ident(ident) => is_name(&ident, word.strip_prefix("r#").unwrap_or(word)),
        _ => false,
    })
}

/// Whether an expression uses a variable, in a format string too.
pub(crate) fn speaks_of(expression: TokenStream, name: &Ident) -> bool {
    let name = name.to_string();
    let in_braces = format!("{{{}", name.strip_prefix("r#").unwrap_or(&name));
    uses_name(expression, &name, &in_braces)
}

/// Whether an attribute's arguments may mean a variable of that name, in a text as well.
pub(crate) fn may_name(arguments: TokenStream, name: &Ident) -> bool {
    arguments.into_iter().any(|token| match token {
        TokenTree::Group(group) => may_name(group.stream(), name),
        TokenTree::Ident(word) => word == *name,
        TokenTree::Literal(literal) => literal
            .to_string()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| *name == word),
        TokenTree::Punct(_) => false,
    })
}

fn uses_name(expression: TokenStream, name: &str, in_braces: &str) -> bool {
    expression.into_iter().any(|token| match token {
        TokenTree::Group(group) => uses_name(group.stream(), name, in_braces),
        TokenTree::Ident(word) => word == name,
        TokenTree::Literal(literal) => literal.to_string().contains(in_braces),
        TokenTree::Punct(_) => false,
    })
}

/// Whether a body names `Self`, except in types and impls that are defined in the body.
pub(crate) fn names_self(body: TokenStream) -> bool {
    let mut in_definition = false;
    body.into_iter().any(|token| match token {
        TokenTree::Group(group) => {
            let is_skipped = in_definition;
            in_definition &= group.delimiter() != Delimiter::Brace;
            !is_skipped && names_self(group.stream())
        }
        TokenTree::Punct(punct) => {
            in_definition &= punct.as_char() != ';';
            false
        }
        TokenTree::Ident(word) => {
            in_definition |=
                ["impl", "trait", "struct", "enum", "union"].iter().any(|keyword| word == keyword);
            word == "Self" && !in_definition
        }
        TokenTree::Literal(_) => false,
    })
}

/// Whether a body calls a function by its bare name or passes it on: not as a field, a method or a
/// part of a path, and not as a variable of that name.
pub(crate) fn calls(body: &TokenStream, name: &str) -> bool {
    let is_variable = binds(body.clone(), name);
    occurs(body.clone(), name, &|before, after| {
        let is_call = match after {
            [TokenTree::Group(group), ..] => group.delimiter() == Delimiter::Parenthesis,
            [TokenTree::Punct(first), TokenTree::Punct(second), ..] => {
                first.as_char() == ':' && second.as_char() == ':'
            }
            _ => false,
        };
        // `f(name)`, `f(a, name)`, `= name;`
        let is_value = match (before.last(), after.first()) {
            (None, None) => true,
            (None, Some(TokenTree::Punct(after))) => after.as_char() == ',',
            (Some(TokenTree::Punct(before)), after) => {
                let ends = match after {
                    None => true,
                    Some(TokenTree::Punct(after)) => matches!(after.as_char(), ',' | ';'),
                    _ => false,
                };
                matches!(before.as_char(), ',' | '=') && ends
            }
            _ => false,
        };
        is_call || is_value && !is_variable
    })
}

/// Whether a `let` binds a variable of that name.
fn binds(body: TokenStream, name: &str) -> bool {
    occurs(body, name, &|before, _| match before {
        [.., TokenTree::Ident(word)] if word == "let" => true,
        [.., TokenTree::Ident(word), TokenTree::Ident(next)] => word == "let" && next == "mut",
        _ => false,
    })
}

/// Whether a name occurs alone (not as a field, a method or a part of a path) and `is_match` holds
/// for the tokens before and after it.
fn occurs(
    tokens: TokenStream,
    name: &str,
    is_match: &dyn Fn(&[TokenTree], &[TokenTree]) -> bool,
) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Group(group) => occurs(group.stream(), name, is_match),
        TokenTree::Ident(ident) if is_name(ident, name) => {
            let (before, after) = (&tokens[..i], &tokens[i + 1..]);
            let is_part = match before {
                [.., TokenTree::Ident(word)] => word == "fn",
                [.., TokenTree::Punct(first), TokenTree::Punct(second)] => {
                    let both = (first.as_char(), second.as_char());
                    // `..name` is a range.
                    both == (':', ':') || second.as_char() == '.' && first.as_char() != '.'
                }
                [.., TokenTree::Punct(punct)] => punct.as_char() == '.',
                _ => false,
            };
            !is_part && is_match(before, after)
        }
        _ => false,
    })
}

fn is_name(ident: &Ident, name: &str) -> bool {
    let ident = ident.to_string();
    ident.strip_prefix("r#").unwrap_or(&ident) == name
}

/// A type with `_` in place of each `impl Trait`, as the result type of a closure may have it.
pub(crate) fn without_impl(ty: TokenStream) -> TokenStream {
    let mut kept = TokenStream::new();
    let mut tokens = ty.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" => {
                let mut depth = 0_usize;
                let mut after_dash = false;
                // Skip to the end of the bounds: a comma or bracket that does not belong to them.
                while let Some(next) = tokens.peek() {
                    if let TokenTree::Punct(punct) = next {
                        match punct.as_char() {
                            ',' if depth == 0 => break,
                            '>' if depth == 0 && !after_dash => break,
                            '<' => depth += 1,
                            '>' if !after_dash => depth -= 1,
                            _ => {}
                        }
                        after_dash = punct.as_char() == '-';
                    } else {
                        after_dash = false;
                    }
                    tokens.next();
                }
                kept.extend(quote!(_));
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_impl(group.stream()));
                inner.set_span(group.span());
                kept.extend([TokenTree::Group(inner)]);
            }
            other => kept.extend([other]),
        }
    }
    kept
}

/// Macros of the standard library that evaluate their arguments where they stand. Of others the
/// compiler judges what they make of their tokens.
const EVALUATES: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "matches",
    "panic",
    "print",
    "println",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// Macros that await where they stand, as tokio and futures name them.
const AWAIT: &[&str] = &["join", "select", "select_biased", "try_join", "try_select"];

/// The first place where a body itself awaits: an `.await`, or a macro that awaits; not one in an async
/// block of it.
fn find_await(body: TokenStream) -> Option<Ident> {
    let mut after_dot = false;
    let mut after_async = false;
    let mut in_async_closure = false;
    let mut last_word: Option<Ident> = None;
    // The name in `name!(...)`.
    let mut of_macro = None;
    for token in body {
        let word = if let TokenTree::Ident(word) = &token { Some(word.clone()) } else { None };
        match token {
            TokenTree::Group(group) => {
                let is_async_body = after_async && group.delimiter() == Delimiter::Brace;
                let name: Option<Ident> = of_macro.take();
                let awaits = |name: &Ident| AWAIT.iter().any(|known| name == known);
                let is_evaluated =
                    name.as_ref().is_none_or(|name| EVALUATES.iter().any(|known| name == known));
                if is_async_body {
                    after_async = false;
                } else if in_async_closure {
                    // It is the closure that awaits.
                } else if name.as_ref().is_some_and(awaits) {
                    return name;
                } else if is_evaluated && let Some(found) = find_await(group.stream()) {
                    return Some(found);
                }
                after_dot = false;
            }
            TokenTree::Ident(word) => {
                if after_dot && word == "await" && !in_async_closure {
                    return Some(word);
                }
                if word == "async" {
                    after_async = true;
                }
                after_dot = false;
            }
            TokenTree::Punct(punct) => {
                after_dot = punct.as_char() == '.';
                // Not the `!` of a negation.
                of_macro = last_word.take().filter(|_| punct.as_char() == '!');
                // An async closure: tokens alone do not show where its body ends.
                in_async_closure |= after_async && punct.as_char() == '|';
                // An async block or function has its braces before the statement ends.
                if punct.as_char() == ';' {
                    after_async = false;
                    in_async_closure = false;
                }
            }
            TokenTree::Literal(_) => after_dot = false,
        }
        last_word = word;
    }
    None
}
