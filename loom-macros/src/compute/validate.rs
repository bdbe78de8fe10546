//! Every rule about the annotated function, before anything is generated.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, FnArg, GenericArgument, Pat, PathArguments, Safety, Type, TypeReference};

use crate::diag::Diagnostics;
use crate::item::Function;

pub(super) fn validate(function: &Function, diag: &mut Diagnostics) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        diag.at(constness, "a compute function cannot be `const`: each call is placed at run time");
    }
    if let Some(abi) = &sig.abi {
        diag.at(abi, "a compute function cannot be `extern`: it becomes an `async fn`");
    }
    if !matches!(sig.safety, Safety::Default) {
        diag.at(
            &sig.safety,
            "a compute function cannot be `unsafe`: wrap the unsafe call in a safe function",
        );
    }
    if let Some(variadic) = &sig.variadic {
        diag.at(variadic, "a compute function cannot be variadic: take a `Vec` instead");
    }
    for attr in function.attrs.iter().filter(|attr| attr.path().is_ident("target_feature")) {
        diag.at(
            attr,
            "a compute function cannot have `target_feature`: call one that has it from the body",
        );
    }
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) => diag.at(
                receiver,
                "a compute function cannot take `self`: move the body to a free function that \
                 takes what it needs, and call that from the method",
            ),
            FnArg::Typed(arg) => {
                if let Some(borrow) = find_borrow(&arg.ty) {
                    diag.at(
                        &arg.ty,
                        format!(
                            "argument `{}` is borrowed, but the call may run on another thread: {}",
                            arg.pat.to_token_stream(),
                            way_out(&borrow),
                        ),
                    );
                }
            }
        }
    }
    find_awaits(function.body.stream(), diag);
}

/// Arguments are taken apart in the body, so `size` sees them whole, under their own names.
pub(super) fn size(size: &Expr, function: &Function, diag: &mut Diagnostics) {
    let mut words = Vec::new();
    words_of(size.to_token_stream(), &mut words);
    for input in &function.sig.inputs {
        let FnArg::Typed(arg) = input else { continue };
        if matches!(&*arg.pat, Pat::Ident(name) if name.subpat.is_none()) {
            continue;
        }
        let mut bound = Vec::new();
        words_of(arg.pat.to_token_stream(), &mut bound);
        if let Some(word) = words.iter().find(|word| bound.contains(word)) {
            diag.at(
                word,
                format!(
                    "`size` cannot see `{word}`, which is part of a pattern: give the argument a \
                     name, and take it apart in the body"
                ),
            );
        }
    }
}

fn words_of(tokens: TokenStream, words: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => words.push(word),
            TokenTree::Group(group) => words_of(group.stream(), words),
            _ => {}
        }
    }
}

/// What in a type borrows from the caller.
enum Borrow<'a> {
    Reference(&'a TypeReference),
    Lifetime(String),
}

fn find_borrow(ty: &Type) -> Option<Borrow<'_>> {
    match ty {
        Type::Reference(reference) => match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => None,
            _ => Some(Borrow::Reference(reference)),
        },
        Type::Array(array) => find_borrow(&array.elem),
        Type::Slice(slice) => find_borrow(&slice.elem),
        Type::Paren(paren) => find_borrow(&paren.elem),
        Type::Group(group) => find_borrow(&group.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(find_borrow),
        // The arguments of `Fn(&str)` are not data of ours, so only `<...>` counts.
        Type::Path(path) => {
            path.path.segments.iter().find_map(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(generics) => {
                    generics.args.iter().find_map(|arg| match arg {
                        GenericArgument::Type(ty) => find_borrow(ty),
                        GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                            Some(Borrow::Lifetime(lifetime.to_string()))
                        }
                        _ => None,
                    })
                }
                _ => None,
            })
        }
        _ => None,
    }
}

fn way_out(borrow: &Borrow<'_>) -> String {
    let (owned, borrowed) = match borrow {
        Borrow::Lifetime(lifetime) => {
            return format!("use `'static` in place of `{lifetime}`, or an owned type");
        }
        Borrow::Reference(reference) => (owned(&reference.elem), reference.to_token_stream()),
    };
    // Tokens print with a space after each; a reference is written without.
    let borrowed = borrowed.to_string().replacen("& ", "&", 1);
    format!("use {owned} in place of `{borrowed}`")
}

/// What to take instead of a reference to it.
fn owned(referent: &Type) -> String {
    if let Type::Slice(slice) = referent {
        return format!("`Vec<{}>`", slice.elem.to_token_stream());
    }
    let name = referent.to_token_stream().to_string();
    match &*name {
        "str" => "`String`".to_owned(),
        "Path" => "`PathBuf`".to_owned(),
        "OsStr" => "`OsString`".to_owned(),
        "CStr" => "`CString`".to_owned(),
        _ => format!("`{name}` or `Arc<{name}>`"),
    }
}

/// Reports each `.await` that belongs to the body itself, not to an async block in it.
fn find_awaits(body: TokenStream, diag: &mut Diagnostics) {
    let mut after_dot = false;
    let mut after_async = false;
    let mut in_async_closure = false;
    let mut after_word = false;
    let mut after_bang = false;
    for token in body {
        let is_word = matches!(token, TokenTree::Ident(_));
        match token {
            TokenTree::Group(group) => {
                let is_async_body = after_async && group.delimiter() == Delimiter::Brace;
                if is_async_body {
                    after_async = false;
                } else if !after_bang && !in_async_closure {
                    // What a macro makes of its tokens is the compiler's to judge.
                    find_awaits(group.stream(), diag);
                }
                after_dot = false;
                after_bang = false;
            }
            TokenTree::Ident(word) => {
                if after_dot && word == "await" && !in_async_closure {
                    diag.at(
                        word,
                        "a compute function cannot await: its body runs on a thread without an \
                         executor; await before the call and pass the result in",
                    );
                } else if word == "async" {
                    after_async = true;
                }
                after_dot = false;
            }
            TokenTree::Punct(punct) => {
                after_dot = punct.as_char() == '.';
                // `name!(...)`, not the `!` of a negation.
                after_bang = after_word && punct.as_char() == '!';
                // An async closure: its body has no end that tokens alone would show.
                in_async_closure |= after_async && punct.as_char() == '|';
                // An async block or function has its braces before the statement ends.
                if punct.as_char() == ';' {
                    after_async = false;
                    in_async_closure = false;
                }
            }
            TokenTree::Literal(_) => after_dot = false,
        }
        after_word = is_word;
    }
}
