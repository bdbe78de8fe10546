//! Functions that cause lint warnings.

use std::sync::Arc;

#[compute]
fn case_dead(n: u32) -> u32 {
    n
}

#[compute]
fn case_dead_with_another(n: u32) -> u32 {
    below(n)
}

const fn below(n: u32) -> u32 {
    n
}

#[compute]
pub fn case_undocumented(n: u32) -> u32 {
    n
}

/// Unused arguments and variables.
#[compute]
pub fn case_unused(argument: u32, (first, _): (u32, u32), mut mutable: u32) {
    let variable = 1;
    println!("{mutable}");
}

/// Unreachable code.
#[compute]
pub fn case_unreachable(n: u32) -> u32 {
    return n;
    println!("never");
}

/// Values that are assigned and not read.
#[compute]
pub fn case_assigned(mut n: u32) -> u32 {
    let mut m = n;
    m = 3;
    n = 4;
    5
}

/// Code that is longer than necessary.
#[compute]
pub fn case_style(n: u32, words: Vec<String>) -> bool {
    let copied = words.iter().map(|word| word.clone()).collect::<Vec<_>>();
    if copied.len() == 0 {
        return true;
    } else {
        println!("{}", copied.len());
    }
    let small = n as u8;
    return small == 1;
}

/// Panics, without documentation of when.
#[compute]
pub fn case_panics(n: Option<u32>) -> u32 {
    n.unwrap() + n.expect("it is there")
}

/// Fails, without documentation of why.
#[compute]
pub fn case_fails(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse::<u32>()
}

/// Casts.
#[compute]
pub fn case_casts(n: u64) -> (u8, f32) {
    (n as u8, n as f32)
}

/// An argument that looks unused and is used.
#[compute]
pub fn case_underscore(_n: u32, __m: u32) -> u32 {
    _n + 1
}

/// An argument that looks unused and is.
#[compute]
pub fn case_really_unused(_n: u32, _: u32) {}

/// Bad names.
#[compute]
pub fn case_CamelCase(Argument: u32) -> u32 {
    let Local = Argument;
    Local
}

/// Too many arguments.
#[compute]
pub fn case_many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

/// Similar names.
#[compute]
pub fn case_similar(item_count: u32, item_counts: u32) -> u32 {
    let checked_exp = item_count;
    let checked_expr = item_counts;
    checked_exp + checked_expr
}

/// Markdown without code marks: some_function and SomeType.
#[compute]
pub fn case_markdown(n: u32) -> u32 {
    n
}

/// Lifetimes that are not needed, and paths that are too long.
#[compute]
pub fn case_paths(n: std::sync::Arc<u32>) -> std::sync::Arc<u32> {
    let other: std::sync::Arc<u32> = Arc::clone(&n);
    other
}

/// A lint that is allowed here.
#[compute]
#[allow(unused_variables, clippy::cast_possible_truncation)]
pub fn case_allowed(argument: u32, n: u64) -> u8 {
    n as u8
}

/// A lint that is expected and occurs.
#[compute]
#[expect(unused_variables, reason = "as an example")]
pub fn case_expected(argument: u32) {}

/// A lint that is expected and does not occur.
#[compute]
#[expect(unused_variables, reason = "as an example")]
pub fn case_expected_in_vain(argument: u32) -> u32 {
    argument
}

/// A lint on an argument.
#[compute]
pub fn case_on_argument(#[allow(unused_variables)] argument: u32, #[expect(unused)] more: u32) {}

/// A `let` of a unit value, and a useless block.
#[compute]
#[allow(clippy::unnecessary_wraps)]
pub fn case_units(n: u32) -> Option<u32> {
    let unit = println!("{n}");
    { Some(n) }
}

/// A type with methods.
pub struct Case(u32);

impl Case {
    #[compute]
    pub fn case_method(self) -> u32 {
        self.0
    }

    /// An argument that need not be mutable.
    #[compute]
    pub fn case_mutable(mut self, unused: u32) -> u32 {
        self.0
    }

    /// Private.
    #[compute]
    fn case_never_used(self) -> u32 {
        return self.0;
    }
}

/// A loop that never loops.
#[compute]
pub fn case_loop(n: u32) -> u32 {
    loop {
        break n;
    }
}

/// Shadows a name, and compares a value with itself.
#[compute]
pub fn case_compare(n: u32) -> bool {
    let n = n;
    n == n
}

/// An unused result.
#[compute]
pub fn case_dropped(text: String) {
    text.parse::<u32>();
    text.len();
}

/// Clones a value that it could move.
#[compute]
pub fn case_clones(text: String) -> String {
    text.clone()
}

/// A type parameter that is not needed.
#[compute]
pub fn case_generic<T: Send + 'static>(items: Vec<T>) -> usize {
    let items = items;
    return items.len();
}

fn seen(_: usize) {}

/// Another attribute names the arguments.
#[compute]
#[suite_macros::sees(data.len())]
pub fn case_seen(mut data: Vec<u8>, unused: u32) -> usize {
    let data = data;
    data.len()
}

/// It names an argument that looks unused.
#[compute]
#[suite_macros::sees(_n)]
pub fn case_seen_underscore(_n: usize, __m: usize) -> usize {
    __m
}

/// It names parts of an argument.
#[compute]
#[suite_macros::sees(a + b)]
pub fn case_seen_parts(
    (mut a, b): (usize, usize),
    (c, mut d): (u32, u32),
    (_e, f): (u32, u32),
) -> usize {
    a += 1;
    a + b
}
