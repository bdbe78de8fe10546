//! `fleet` and `idempotent`: calls that may run on another process.
//!
//! Such a function is entered into a list that the linker makes, with a function that reads the arguments and
//! calls the annotated one by its name:
//!
//! ```text
//! far2(at!("name"), { static FUNCTION: FleetFunction = …; &FUNCTION }, a, b, |a, b| -> R { body })
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, LitStr, Path, ReturnType, Safety, Signature, Type};

use crate::args::Arg;
use crate::body::mentions;
use crate::diag::{Diagnostics, shown};
use crate::item::MOST_ARGUMENTS;

/// What the attribute says of the fleet.
pub(super) struct Fleet {
    /// The word, for errors.
    word: Ident,
    version: LitStr,
    is_idempotent: bool,
}

pub(super) fn parse(
    fleet: Option<&Arg>,
    idempotent: Option<&Arg>,
    diag: &mut Diagnostics,
) -> Option<Fleet> {
    let Some(fleet) = fleet else {
        if let Some(idempotent) = idempotent {
            diag.at(
                &idempotent.key,
                "`idempotent` says nothing without `fleet`: it allows the fleet to run a lost call again",
            );
        }
        return None;
    };
    if !cfg!(feature = "fleet") {
        diag.at(&fleet.key, "`fleet` needs the feature `fleet` of loom-runtime");
        return None;
    }
    let version = if fleet.stands_alone() {
        LitStr::new("1", fleet.span())
    } else {
        let version = diag.keep(fleet.string("fleet = \"2\""))?;
        // It is a part of a message's subject.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let text = version.value();
        if text.is_empty() || !text.chars().all(is_plain) {
            diag.at(
                &version,
                format!(
                    "a version is made of letters, digits, `-` and `_`, such as `fleet = \"2\"`, found \
                     {text:?}"
                ),
            );
        }
        version
    };
    Some(Fleet { word: fleet.key.clone(), version, is_idempotent: idempotent.is_some() })
}

/// A function that another process can call by its name and with arguments alone.
pub(super) fn validate(fleet: &Fleet, scope: bool, sig: &Signature, diag: &mut Diagnostics) {
    if scope {
        diag.at(
            &fleet.word,
            "`fleet` and `scope` exclude each other: what is borrowed cannot travel to another process",
        );
    }
    if let Some(receiver) = sig.receiver() {
        diag.at(
            receiver,
            "a function with `fleet` cannot take `self`: another process has none; take what it needs as \
             arguments",
        );
    }
    let names_impl = |input: &&FnArg| mentions(input.to_token_stream(), "impl");
    if let Some(generic) = sig.generics.params.first() {
        let shown = shown(generic);
        diag.at(
            generic,
            format!(
                "a function with `fleet` cannot be generic over `{shown}`: another process has to know its \
                 types"
            ),
        );
    } else if let Some(input) = sig.inputs.iter().find(names_impl) {
        diag.at(
            input,
            "a function with `fleet` cannot take `impl`: another process has to know the type",
        );
    }
    for input in &sig.inputs {
        let FnArg::Typed(arg) = input else { continue };
        if !scope && matches!(&*arg.ty, Type::Reference(_)) {
            let shown = shown(&arg.pat);
            diag.at(
                &arg.ty,
                format!(
                    "argument `{shown}` is a reference, which cannot travel to another process: take what it \
                     refers to"
                ),
            );
        }
    }
    if let Safety::Unsafe(word) = &sig.safety {
        diag.at(
            word,
            "a function with `fleet` cannot be `unsafe`: nobody promises anything elsewhere",
        );
    }
    if sig.inputs.len() > MOST_ARGUMENTS {
        diag.at(
            &sig.inputs[MOST_ARGUMENTS],
            format!("a function with `fleet` takes at most {MOST_ARGUMENTS} arguments: put some in a struct"),
        );
    }
}

/// The function's entry, as an expression of a reference to it.
pub(super) fn entry(
    fleet: &Fleet,
    loom: &Path,
    key: Option<&LitStr>,
    carry: &[Path],
    sig: &Signature,
) -> TokenStream {
    let Fleet { version, is_idempotent, .. } = fleet;
    let (name, item) = (&sig.ident, sig.ident.unraw().to_string());
    let given = key
        .map_or_else(|| quote!(#loom::__private::None), |key| quote!(#loom::__private::Some(#key)));
    let signature = signature(sig, carry);
    let serve = format_ident!("serve{}", sig.inputs.len());
    let message = Ident::new("message", Span::mixed_site());
    // The span of each name, so that one that cannot travel is reported there.
    let names = carry.iter().map(|name| quote_spanned!(name.span()=> &#name));
    let (taken, along, keys) = if carry.is_empty() {
        (None, None, quote!(&[]))
    } else {
        let list = quote! {
            static __LOOM_ALONG: &[&dyn #loom::__private::fleet::TravelsAlong] = &[#(#names),*];
        };
        let along = quote!(.taking_along(|| #loom::__private::fleet::write(__LOOM_ALONG)));
        (Some(list), Some(along), quote!(__LOOM_ALONG))
    };
    quote! {
        {
            #taken
            #[#loom::__private::linkme::distributed_slice(#loom::__private::fleet::FLEET)]
            #[linkme(crate = #loom::__private::linkme)]
            static __LOOM_FLEET: #loom::__private::FleetFunction =
                #loom::__private::FleetFunction::new(
                    (#loom::__private::module_path!(), #item, #given),
                    #version,
                    #signature,
                    #is_idempotent,
                    |#message| #loom::__private::fleet::#serve(#message, #keys, #name),
                ) #along;
            &__LOOM_FLEET
        }
    }
}

/// The types as they are written, with one space between tokens, and the names of what travels along.
fn signature(sig: &Signature, carry: &[Path]) -> String {
    let types = sig.inputs.iter().map(|input| match input {
        FnArg::Typed(arg) => arg.ty.to_token_stream().to_string(),
        FnArg::Receiver(receiver) => receiver.to_token_stream().to_string(),
    });
    let types: Vec<_> = types.collect();
    let output = match &sig.output {
        ReturnType::Default => "()".to_owned(),
        ReturnType::Type(_, ty) => ty.to_token_stream().to_string(),
    };
    let names: Vec<_> = carry.iter().map(|name| name.to_token_stream().to_string()).collect();
    let along =
        if names.is_empty() { String::new() } else { format!(" with {}", names.join(", ")) };
    format!("({}) -> {output}{along}", types.join(", "))
}
