//! More arguments than the traits of tuples reach.

#![allow(clippy::too_many_arguments, clippy::many_single_char_names)]
#![allow(clippy::only_used_in_recursion)]

#[loom::compute]
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
) -> u8 {
    a + b + c + d + e + f + g + h + i + j + k + l
}

#[loom::compute]
fn fifteen(
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
    (m, n): (u8, u8),
    mut o: u8,
    #[allow(unused_variables)] unused: String,
) -> u8 {
    o += 1;
    a + b + c + d + e + f + g + h + i + j + k + l + m + n + o
}

#[loom::compute]
fn recursive(
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
    #[allow(unused_variables)] unused: u8,
    m: u8,
) -> u8 {
    if m == 0 { a } else { recursive(a + 1, b, c, d, e, f, g, h, i, j, k, l, 0, m - 1) }
}

#[loom::test]
async fn runs() {
    assert_eq!(twelve(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1).await, 12);
    let text = String::new();
    assert_eq!(fifteen(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, (1, 1), 1, text).await, 16);
    assert_eq!(recursive(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5).await, 5);
}
