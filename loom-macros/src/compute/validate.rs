//! Every rule about the annotated function, checked before anything is generated.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Attribute, Expr, FnArg, Pat, Receiver, ReceiverKind, ReturnType, Signature, Type};

use super::args::ComputeArgs;
use super::borrow::{find_borrow, way_out};
use super::fleet;
use crate::attributes::{entry_of, is_compute};
use crate::body::{Words, mentions};
use crate::diag::{Diagnostics, shown};
use crate::item::Function;

pub(super) fn validate(
    args: &ComputeArgs,
    function: &Function,
    words: &Words,
    diag: &mut Diagnostics,
) {
    let sig = &function.sig;
    qualifiers(sig, diag);
    for attr in &function.attrs {
        attribute(attr, diag);
    }
    if is_boxed_by_async_trait(sig) {
        diag.at(
            &sig.ident,
            "`#[async_trait]` has turned this into a function that borrows: declare the trait \
             without it, with `async fn` or `-> impl Future + Send`, or call a compute function \
             from the method",
        );
    } else if !args.scope {
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(this) => receiver(this, diag),
                FnArg::Typed(arg) => argument(&arg.pat, &arg.ty, diag),
            }
        }
        if let ReturnType::Type(_, ty) = &sig.output
            && let Some(borrow) = find_borrow(ty)
        {
            diag.at(
                ty,
                format!(
                    "the result is borrowed, but it may come from another thread: {}, or say \
                     `scope`",
                    way_out(&borrow)
                ),
            );
        }
    }
    if let Some(fleet) = &args.fleet {
        fleet::validate(fleet, args.scope, sig, diag);
    }
    if let Some(size) = &args.size {
        visible(size, "size", sig, diag);
    }
    if let Some(runtime) = &args.runtime {
        visible(runtime, "runtime", sig, diag);
    }
    if let Some(word) = &words.first_await {
        awaits(args, sig, word, diag);
    }
}

/// A body that awaits is that of an `async fn` which takes what it needs along.
fn awaits(args: &ComputeArgs, sig: &Signature, word: &Ident, diag: &mut Diagnostics) {
    if args.scope {
        diag.at(
            word,
            "a compute function with `scope` cannot await: it holds up its task until it has ended, so \
             that it may borrow; take `Arc` or owned data, without `scope`",
        );
    } else if sig.asyncness.is_none() {
        diag.at(
            word,
            "only an `async fn` can await: write `async fn`, whose polls are placed one by one; or \
             await before the call, and pass the result in",
        );
    }
}

fn qualifiers(sig: &Signature, diag: &mut Diagnostics) {
    if let Some(constness) = &sig.constness {
        diag.at(constness, "a compute function cannot be `const`: each call is placed at run time");
    }
    if let Some(abi) = &sig.abi {
        diag.at(abi, "a compute function cannot be `extern`: it becomes an `async fn`");
    }
    if let Some(variadic) = &sig.variadic {
        diag.at(variadic, "a compute function cannot be variadic: take a `Vec` instead");
    }
}

fn attribute(attr: &Attribute, diag: &mut Diagnostics) {
    if attr.path().is_ident("target_feature") {
        diag.at(
            attr,
            "a compute function cannot have `target_feature`: call one that has it from the body",
        );
    } else if attr.path().is_ident("track_caller") {
        diag.at(
            attr,
            "a compute function cannot have `track_caller`: it may be called from another thread; \
             take `Location::caller()` before, and pass it in",
        );
    } else if is_compute(attr) {
        diag.at(attr, "`#[loom::compute]` is given twice");
    } else if let Some(entry) = entry_of(attr) {
        diag.at(
            attr,
            format!("a compute function cannot be `#[{entry}]` as well: call it from there"),
        );
    }
}

/// `#[async_trait]` adds a lifetime with its own name.
fn is_boxed_by_async_trait(sig: &Signature) -> bool {
    !sig.generics.params.is_empty() && mentions(sig.generics.to_token_stream(), "async_trait")
}

fn receiver(this: &Receiver, diag: &mut Diagnostics) {
    let is_borrowed = match &this.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => find_borrow(ty).is_some(),
        _ => false,
    };
    if is_borrowed {
        let shown = shown(this);
        diag.at(
            this,
            format!(
                "`{shown}` is borrowed, but the call may run on another thread: take \
                 `self: Arc<Self>`, `self: Box<Self>` or `self`; or say `scope`, which holds up \
                 the task until the call has ended"
            ),
        );
    }
}

fn argument(pattern: &Pat, ty: &Type, diag: &mut Diagnostics) {
    if let Some(borrow) = find_borrow(ty) {
        diag.at(
            ty,
            format!(
                "argument `{}` is borrowed, but the call may run on another thread: {}, or say \
                 `scope`",
                shown(pattern),
                way_out(&borrow),
            ),
        );
    }
}

/// Reports names in `size` or `runtime` that are parts of a pattern. Patterns are destructured in
/// the body, so the attribute sees only whole arguments under their own names.
fn visible(expression: &Expr, key: &str, sig: &Signature, diag: &mut Diagnostics) {
    let expression = expression.to_token_stream();
    for input in &sig.inputs {
        let FnArg::Typed(arg) = input else { continue };
        if matches!(&*arg.pat, Pat::Ident(name) if name.subpat.is_none()) {
            continue;
        }
        let mut bound = Vec::new();
        words_of(arg.pat.to_token_stream(), &mut bound);
        let mut words = Vec::new();
        words_of(expression.clone(), &mut words);
        if let Some(word) = words.iter().find(|word| bound.contains(word)) {
            diag.at(
                word,
                format!(
                    "`{key}` cannot see `{word}`, which is part of a pattern: give the argument a \
                     name, and take it apart in the body"
                ),
            );
        }
    }
}

fn words_of(tokens: proc_macro2::TokenStream, words: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Ident(word) => words.push(word),
            proc_macro2::TokenTree::Group(group) => words_of(group.stream(), words),
            _ => {}
        }
    }
}
