//! Compares the attributes' expansions with the readable files in `tests/expand/`.
//!
//! After an intended change, `LOOM_EXPAND=overwrite cargo test -p loom-runtime-macros` rewrites
//! the files.

use std::path::Path;
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, File, ImplItem, ImplItemFn, Item, ItemFn, Meta};

use crate::compute::compute;
use crate::entry::{Kind, entry};

/// The folder with each example beside its expansion.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expand");

#[test]
fn expansions_are_as_written_down() {
    let overwrite = env::var_os("LOOM_EXPAND").is_some_and(|value| value == "overwrite");
    let mut examples = 0;
    let mut different = Vec::new();
    for entry in fs::read_dir(FOLDER).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".in.rs")) else {
            continue;
        };
        examples += 1;
        let expanded = expand(&fs::read_to_string(&path).expect("the example can be read"));
        let kept = format!("{name}.out.rs");
        let header = format!(
            "//! What `{}.in.rs` expands to.\n\n",
            Path::new(name).file_name().unwrap_or_default().display()
        );
        let expanded = header + &expanded;
        if overwrite {
            fs::write(kept, expanded).expect("the expansion can be written");
        } else if fs::read_to_string(&kept).unwrap_or_default() != expanded {
            different.push(format!("{kept} should be:\n{expanded}"));
        }
    }
    assert!(examples >= 5, "the examples were found");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Expands every Loom attribute in a file.
fn expand(text: &str) -> String {
    let file: File = syn::parse_file(text).expect("an example is a file of items");
    let items = file.items.into_iter().map(|item| match item {
        Item::Fn(ItemFn { mut attrs, vis, sig, block, .. }) => {
            expand_function(&mut attrs, |attrs| quote!(#(#attrs)* #vis #sig #block))
        }
        Item::Impl(mut block) => {
            let items = block.items.drain(..).map(|item| match item {
                ImplItem::Fn(ImplItemFn { mut attrs, vis, sig, block, .. }) => {
                    expand_function(&mut attrs, |attrs| quote!(#(#attrs)* #vis #sig #block))
                }
                other => other.to_token_stream(),
            });
            let items: Vec<_> = items.collect();
            let (ty, generics) = (&block.self_ty, &block.generics);
            quote!(impl #generics #ty { #(#items)* })
        }
        other => other.to_token_stream(),
    });
    let expanded = syn::parse2(items.collect()).expect("an expansion is a file of items");
    prettyplease::unparse(&expanded)
}

fn expand_function(
    attrs: &mut Vec<Attribute>,
    function: impl Fn(&[Attribute]) -> TokenStream,
) -> TokenStream {
    let ours = attrs.iter().position(|attr| attr.path().segments[0].ident == "loom");
    let Some(ours) = ours.map(|i| attrs.remove(i)) else { return function(attrs) };
    let args = match &ours.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    match &*ours.path().segments[1].ident.to_string() {
        "compute" => compute(args, function(attrs)),
        "main" => entry(Kind::Main, args, function(attrs)),
        _ => entry(Kind::Test, args, function(attrs)),
    }
}

#[test]
fn unfinished_bodies_leave_the_signature() {
    for body in
        ["text.", "let x =", "if text", "text.len(,)", "match text { Some( ) }", "return", "x::"]
    {
        let body: TokenStream = body.parse().expect("it has all its brackets");
        let item = quote!(pub fn length(text: String) -> usize { #body });
        let expanded = compute(TokenStream::new(), item.clone()).to_string();
        let signature = quote!(pub async fn length(text: String) -> usize).to_string();
        assert!(expanded.starts_with(&signature), "{expanded}");
        assert!(expanded.contains(&body.to_string()), "{expanded}");
        assert!(!expanded.contains("compile_error"), "{expanded}");

        let expanded = entry(Kind::Test, TokenStream::new(), quote!(async #item)).to_string();
        assert!(expanded.contains(&body.to_string()), "{expanded}");
    }
}

#[test]
fn nothing_makes_an_attribute_panic() {
    let items = [
        "",
        "fn",
        "fn f",
        "fn f(",
        "fn f()",
        "fn f() ->",
        "fn f(a: ) {}",
        "fn f(a: u32, ..) {}",
        "pub",
        "async",
        "{}",
        "#[loom::compute]",
        "fn f() {} fn g() {}",
        "fn f(self, &self) {}",
        "fn f(mut self: u8, _: ()) -> impl {}",
        "const async unsafe extern \"C\" fn f<'a, T, const N: u8>(a: &'a T, ...) -> ! { loop {} }",
        "fn f() -> Result<impl Fn(u8) -> (), impl Iterator<Item = u8>> { #![allow(x)] #![a] }",
        "impl X {}",
        "fn r#fn(r#type: r#struct) { r#fn() }",
        "fn f(#[cfg(a)] a: u8, #[cfg] b: u8, #[cfg(a, b)] c: u8) {}",
    ];
    let args = [
        "",
        ",",
        ",,",
        "=",
        "hint",
        "hint =",
        "hint = low",
        "hint = \"low\",",
        "= = =",
        "scope = ",
        "crate",
        "crate = 3",
        "size = {",
        "key = \"\"",
        "mode = \"inline\" priority",
        "1, 2, 3",
        "tokio_threads = -1",
        "cpuset = \"0-\"",
        "arm = \"both\"",
        "shutdown_timeout = \"\"",
        "prefix = \"a\", prefix = \"b\"",
        "unknown",
        "::",
        "#[a]",
        "runtime = x.y, size = self",
    ];
    let tokens = |text: &str| text.parse::<TokenStream>().ok();
    let mut expanded = 0;
    for item in items.into_iter().filter_map(tokens) {
        for args in args.into_iter().filter_map(tokens) {
            for output in [
                compute(args.clone(), item.clone()),
                entry(Kind::Main, args.clone(), item.clone()),
                entry(Kind::Test, args.clone(), item.clone()),
            ] {
                expanded += usize::from(!output.is_empty());
            }
        }
    }
    assert!(expanded > 1000, "{expanded}");
}
