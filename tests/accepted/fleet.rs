//! Functions whose calls may run on another process, under strict lints, and without unsafe code.

#![deny(warnings, clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::collections::HashMap;

use loom::fleet::FleetFunction;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Image {
    pixels: Vec<u8>,
    #[serde(default)]
    title: Option<String>,
}

#[loom::compute(fleet)]
fn nothing() {}

#[loom::compute(fleet, hint = "high", size = image.pixels.len())]
fn shrunk(image: Image, by: usize) -> Image {
    Image { pixels: image.pixels.into_iter().step_by(by).collect(), ..Image::default() }
}

impl Default for Image {
    fn default() -> Self {
        Self { pixels: vec![1, 2, 3, 4], title: None }
    }
}

#[loom::compute(fleet = "2", idempotent, priority = "high", key = "a key")]
fn with_a_version(mut n: u32, (a, b): (u32, u32)) -> Result<u32, String> {
    n += a;
    n.checked_sub(b).ok_or_else(|| "too little".to_owned())
}

#[loom::compute(fleet)]
async fn awaits(n: u64) -> u64 {
    std::future::ready(n).await + fibonacci(n).await
}

#[loom::compute(fleet)]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[loom::compute(fleet)]
fn r#match(words: HashMap<String, u32>) -> HashMap<String, u32> {
    words
}

#[loom::compute(fleet)]
#[expect(clippy::too_many_arguments, reason = "that is the case")]
fn twelve(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
) -> u32 {
    [a, b, c, d, e, f, g, h, i, j, k, l].into_iter().map(u32::from).sum()
}

#[loom::test(arm = "both")]
async fn runs() {
    #[loom::compute(fleet)]
    fn within_a_function(text: String) -> usize {
        text.len()
    }

    nothing().await;
    let image = Image::default();
    assert_eq!(shrunk(image.clone(), 2).await.pixels, [1, 3]);
    assert_eq!(with_a_version(1, (2, 3)).await, Ok(0));
    assert_eq!(with_a_version(1, (1, 3)).await, Err("too little".to_owned()));
    assert_eq!(awaits(10).await, 65);
    assert!(r#match(HashMap::new()).await.is_empty());
    assert_eq!(twelve(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1).await, 12);
    assert_eq!(within_a_function("text".to_owned()).await, 4);
    let function = |name: &str| {
        let found = loom::fleet::functions().find(|function| function.name() == name);
        found.unwrap_or_else(|| panic!("`{name}` is listed"))
    };
    let keyed = function("a key");
    assert_eq!((keyed.version(), keyed.is_idempotent()), ("2", true));
    let path = concat!(module_path!(), "::fibonacci");
    assert_eq!((function(path).version(), function(path).is_idempotent()), ("1", false));
    let others = ["match", "awaits", "within_a_function"];
    let fingerprints = others.map(|name| {
        let ends = |function: &&FleetFunction| function.name().ends_with(&format!("::{name}"));
        loom::fleet::functions().find(ends).expect(name).fingerprint()
    });
    assert_ne!(fingerprints[0], fingerprints[1]);
    assert_ne!(fingerprints[1], fingerprints[2]);
}
