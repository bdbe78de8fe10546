//! Attributes that write the names of arguments, each in another way, as attributes of other crates
//! do. Each passes an expression to `crate::seen` before the body of its function.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The expression is the attribute's argument.
#[proc_macro_attribute]
pub fn sees(expression: TokenStream, item: TokenStream) -> TokenStream {
    before_the_body(item, expression)
}

/// The expression stands in a string.
#[proc_macro_attribute]
pub fn sees_text(text: TokenStream, item: TokenStream) -> TokenStream {
    let text = text.to_string();
    before_the_body(item, text.trim_matches('"').parse().expect("an expression in a string"))
}

/// Wraps the body in an `async` block and awaits it, as attributes for `async fn` do.
#[proc_macro_attribute]
pub fn awaits(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let Some(body) = tokens.pop() else { panic!("expected a function") };
    let mut wrapped: TokenStream = "async move".parse().expect("it is a piece of code");
    wrapped.extend([body]);
    wrapped.extend(".await".parse::<TokenStream>().expect("it is a piece of code"));
    tokens.push(TokenTree::Group(Group::new(Delimiter::Brace, wrapped)));
    tokens.into_iter().collect()
}

/// The expression is the macro's own, `data.len()`.
#[proc_macro_attribute]
pub fn sees_length(_: TokenStream, item: TokenStream) -> TokenStream {
    before_the_body(item, "data.len()".parse().expect("it is an expression"))
}

fn before_the_body(item: TokenStream, expression: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let Some(TokenTree::Group(body)) = tokens.pop() else { panic!("expected a function") };
    let mut first: TokenStream = "crate::seen".parse().expect("it is a path");
    first.extend([
        TokenTree::Group(Group::new(Delimiter::Parenthesis, expression)),
        TokenTree::Punct(proc_macro::Punct::new(';', proc_macro::Spacing::Alone)),
    ]);
    first.extend(body.stream());
    let mut new = Group::new(Delimiter::Brace, first);
    new.set_span(body.span());
    tokens.push(TokenTree::Group(new));
    tokens.into_iter().collect()
}
