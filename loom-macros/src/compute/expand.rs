//! The expansion of `#[loom::compute]`.
//!
//! It is an `async fn` of the same signature, which passes the body to Loom as a closure of the
//! arguments:
//!
//! ```text
//! async fn name(a: T, b: U) -> R {
//!     call2(at!("name"), a, b, |pattern of a, pattern of b| -> R { body }).await
//! }
//! ```
//!
//! `return`, `?` and `self` mean the same in a closure as in a function, and so do the lints for
//! arguments and body, which occur there once. Two things need a function of the same signature
//! and name within the closure: a call of itself by its name, and a result of `impl Fn`, whose
//! kind only the signature states.
//!
//! An `async fn` that awaits passes its body as an async closure, and returns what comes of it:
//!
//! ```text
//! fn name(a: T, b: U) -> impl Future<Output = R> + Send {
//!     let call = future2(at!("name"), a, b, async move |pattern of a, pattern of b| -> R { body });
//!     async move { call.await }
//! }
//! ```
//!
//! It says `Send`, because the compiler cannot show that for two `async fn`s that call each other. The
//! last expression is an async block, by which other attributes know such a function.
//!
//! All names that the macro adds are local variables with the macro's hygiene, or are in a block
//! of their own: the body sees none of them. They begin with `__loom`, because a pattern with the
//! name of a constant means that constant.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam, Path, ReturnType, Safety, Signature, Token};
use syn::{ReceiverKind, parse_quote};

use super::args::ComputeArgs;
use super::borrow::{find_borrow, without_borrow};
use super::fleet;
use super::params::{Param, closure_params, in_tuples, params, typed};
use crate::body::{self, Words, in_place_of, leading_attributes};
use crate::item::{Function, typed_mut};
use crate::paths::{self, of_macro};

/// Attributes about the machine code of the body. Loom compiles it once, out of line, so only a nested
/// function has them.
const BODY_ATTRIBUTES: &[&str] = &["inline", "cold"];

pub(super) fn expand(args: &ComputeArgs, function: &Function, words: &Words) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let (inner_attrs, body) = leading_attributes(&function.body);
    let awaits = words.first_await.is_some() && sig.asyncness.is_some();
    let is_nested = !awaits && is_nested(function, words);
    let (of_body, of_item): (Vec<_>, Vec<_>) = attrs.iter().partition(|attr| is_of_the_body(attr));

    let params = params(sig, &of_item, args, is_nested);
    let mut outer = if awaits { as_future(sig, &args.loom) } else { as_async(sig) };
    for (arg, param) in typed_mut(&mut outer).zip(&params) {
        *arg.pat = param.outer.clone();
        arg.attrs.clear();
    }
    if !is_nested && let Some(FnArg::Receiver(receiver)) = outer.inputs.first_mut() {
        receiver.attrs.clear();
    }

    let closure =
        if is_nested { nested(sig, &of_body, &body) } else { closure(sig, &params, &body, awaits) };
    let (before, at) = at(args, sig, awaits);

    let loom = &args.loom;
    // An argument that cannot be sent is reported at its own place.
    let given = in_tuples(params.iter().map(|param| param.given.clone()).collect());
    let which = match (awaits, args.scope, &args.fleet) {
        (true, _, None) => "future",
        (true, _, Some(_)) => "farfuture",
        (false, true, _) => "scoped",
        (false, false, None) => "call",
        (false, false, Some(_)) => "far",
    };
    let entry = args.fleet.as_ref().map(|fleet| {
        let entry = fleet::entry(fleet, loom, args.key.as_ref(), &args.carry, sig);
        quote!(#entry,)
    });
    // A result that cannot be sent is reported at its type.
    let place = Span::call_site().located_at(match &sig.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => sig.ident.span(),
    });
    let which = Ident::new(&format!("{which}{}", given.len()), place);
    let mut arguments =
        Group::new(Delimiter::Parenthesis, quote!(#at, #entry #(#given,)* #closure));
    arguments.set_span(place);
    let loom_there = paths::at(loom, place);
    let room = args.fleet.as_ref().map(|_| quote_spanned!(place=> fleet::));
    let call = quote_spanned!(place=> #loom_there::__private::#room #which #arguments);
    let hints = &args.of_file;
    let passed = params.iter().filter_map(|param| param.before.as_ref());
    let name = Ident::new("__loom_call", Span::mixed_site());
    let in_time = |time: &TokenStream, inner: TokenStream| {
        let function = sig.ident.unraw().to_string();
        quote! {
            #loom::__private::until(
                #time,
                #loom::__private::concat!(#loom::__private::module_path!(), "::", #function),
                #inner,
            )
        }
    };
    let awaited = match (awaits, &args.deadline) {
        (true, None) => quote!(let #name = #call; async move { #name.await }),
        (false, None) => quote!(#call.await),
        (true, Some(time)) => {
            let in_time = in_time(time, quote!(#name));
            quote!(let #name = #call; async move { #in_time.await })
        }
        (false, Some(time)) => {
            let call = in_time(time, quote!(async move { #call.await }));
            quote!(#call.await)
        }
    };
    let block = quote! {
        #hints
        #before
        #(#passed)*
        #awaited
    };
    let block = in_place_of(&body, block);
    // A trait may have declared it as an `async fn`, whose future need not be `Send`.
    let refines = awaits.then(|| quote!(#[allow(refining_impl_trait)]));
    quote! {
        #(#of_item)*
        #(#inner_attrs)*
        #refines
        #vis #outer #block
    }
}

/// The function as an `async fn` that runs inline: what its callers expect to find while there are
/// errors.
pub(super) fn unplaced(function: &Function, is_borrowing: bool) -> TokenStream {
    let mut function = function.clone();
    function.sig = as_async(&function.sig);
    function.sig.constness = None;
    function.sig.abi = None;
    function.sig.variadic = None;
    if let ReturnType::Type(_, ty) = &function.sig.output
        && find_borrow(ty).is_some()
        && !is_borrowing
    {
        // The arguments that the result was to borrow from do not fit any more.
        function.sig.output = without_borrow(&function.sig.output);
        function.attrs.push(parse_quote!(#[allow(unused_variables)]));
        function.body = Group::new(Delimiter::Brace, quote!(::core::unreachable!()));
    }
    function.into_token_stream()
}

/// Code that comes before the call, and the expression of the site and the call's options.
fn at(args: &ComputeArgs, sig: &Signature, awaits: bool) -> (Option<TokenStream>, TokenStream) {
    let ComputeArgs {
        loom, hint, mode, size, priority, key, carry, max_concurrent, runtime, ..
    } = args;
    let name = sig.ident.unraw().to_string();
    let keyed = key.as_ref().map(|key| quote!(.keyed(#key)));
    let hinted = hint.as_ref().map(|hint| quote!(.hinted(#hint)));
    let in_mode = mode.as_ref().map(|mode| quote!(.in_mode(#loom::__private::Mode::#mode)));
    let sized = size.as_ref().map(|_| quote!(.sized()));
    let polled = awaits.then(|| quote!(.polled()));
    let limited = max_concurrent.as_ref().map(|calls| quote!(.limited(#calls)));
    let size = size.as_ref().map(|size| {
        let magnitude = quote_spanned!(size.span()=> #loom::__private::magnitude);
        quote!(.size(#magnitude(|| #size)))
    });
    let priority =
        priority.as_ref().map(|level| quote!(.priority(#loom::__private::Priority::#level)));
    // The span of each name, so that one that is no task-local is reported there.
    let names = carry.iter().map(|name| quote_spanned!(name.span()=> &#name));
    let carrying = (!carry.is_empty()).then(|| {
        quote! {
            .carrying({
                static __LOOM_CARRY: &[&dyn #loom::__private::Carry] = &[#(#names),*];
                __LOOM_CARRY
            })
        }
    });
    let (on, on_it) = match runtime {
        Some(runtime) => {
            let name = Ident::new("__loom_on", Span::mixed_site());
            let on = quote_spanned!(runtime.span()=> #loom::__private::on);
            (Some(quote!(let #name = #on(|| #runtime);)), Some(quote!(.on(&#name))))
        }
        None => (None, None),
    };
    let at = quote! {
        #loom::__private::at!(#name #keyed #hinted #in_mode #sized #polled #limited)
            #size #priority #carrying #on_it
    };
    if on.is_none() && size.is_none() {
        return (None, at);
    }
    // Evaluated before the arguments are moved.
    let name = Ident::new("__loom_at", Span::mixed_site());
    (Some(quote!(#on let #name = #at;)), quote!(#name))
}

/// The body as a closure of the arguments.
fn closure(sig: &Signature, params: &[Param], body: &Group, awaits: bool) -> TokenStream {
    let params = closure_params(params);
    let (is_async, moves) =
        if awaits { (quote!(async), quote!(move)) } else { (quote!(), quote!()) };
    let output = match &sig.output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(arrow, ty) => {
            let ty = body::without_impl(ty.to_token_stream());
            quote!(#arrow #ty)
        }
    };
    let Some(receiver) = sig.receiver() else {
        return quote!(#is_async #moves |#(#params),*| #output #body);
    };
    let this = &receiver.self_token;
    // Captures all of `self`, as a function does, not only the fields that the body names.
    let whole = matches!(receiver.kind, ReceiverKind::Value | ReceiverKind::Typed(..))
        .then(|| quote!(let _ = &#this;));
    let statements = body.stream();
    let body = in_place_of(body, quote!(#whole #statements));
    // Errors about what the closure captures begin at the receiver.
    let start = Span::call_site().located_at(this.span());
    quote_spanned!(start=> #is_async move |#(#params),*| #output #body)
}

/// The body as a function of the same name, and a closure that calls it.
fn nested(sig: &Signature, of_body: &[&Attribute], body: &Group) -> TokenStream {
    let mut inner = sig.clone();
    inner.asyncness = None;
    let plain = &inner.ident;
    let generics = turbofish(sig);
    // Names that cannot hide the function.
    let names = typed(sig)
        .enumerate()
        .map(|(i, arg)| format_ident!("__loom_arg{i}", span = of_macro(arg.span())));
    let given: Vec<_> = names.map(|name| name.to_token_stream()).collect();
    let params = in_tuples(given.clone());
    let mut call = quote!(#plain #generics(#(#given),*));
    if let Safety::Unsafe(_) = sig.safety {
        // SAFETY: the caller of the outer function has promised it.
        call = quote!(unsafe { #call });
    }
    quote! {
        |#(#params),*| {
            #(#of_body)*
            #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)]
            #inner #body
            #call
        }
    }
}

/// Whether the body needs a function around it: one that calls itself by its name, or whose result
/// is a closure of a kind that only the signature states.
///
/// Not in methods and where `Self` is named: there a bare name is never the function's own, and a
/// nested function could not name what the `impl` names.
fn is_nested(function: &Function, words: &Words) -> bool {
    let Function { sig, body, .. } = function;
    let may_be_hidden =
        |name: &str| typed(sig).any(|arg| body::mentions(arg.pat.to_token_stream(), name));
    let calls_itself = || {
        let name = sig.ident.unraw().to_string();
        !may_be_hidden(&name) && body::calls(&body.stream(), &name)
    };
    let gives_a_closure = || match &sig.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => {
            let ty = ty.to_token_stream();
            body::mentions(ty.clone(), "impl")
                && ["Fn", "FnMut", "FnOnce"].iter().any(|name| body::mentions(ty.clone(), name))
        }
    };
    sig.receiver().is_none()
        && (words.its_name && calls_itself() || gives_a_closure())
        && !body::mentions(sig.to_token_stream(), "Self")
        && !body::names_self(body.stream())
}

fn as_async(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    sig.asyncness.get_or_insert(Token![async](sig.fn_token.span));
    sig
}

/// The signature of a function that returns the future of its result.
fn as_future(sig: &Signature, loom: &Path) -> Signature {
    let mut sig = sig.clone();
    sig.asyncness = None;
    let output = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    sig.output = parse_quote! {
        -> impl #loom::__private::Future<Output = #output> + #loom::__private::Send
    };
    sig
}

/// Type and const parameters by name, since the arguments may not determine them. Parameters of
/// `impl Trait` cannot be named.
fn turbofish(sig: &Signature) -> Option<TokenStream> {
    let names = sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
        GenericParam::Lifetime(_) => None,
    });
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| quote!(::<#(#names),*>))
}

fn is_of_the_body(attr: &Attribute) -> bool {
    BODY_ATTRIBUTES.iter().any(|name| attr.path().is_ident(name))
}
