//! What cannot be called by its name and with arguments alone.

struct Shop;

impl Shop {
    #[loom::compute(fleet)]
    fn method(self) {}
}

#[loom::compute(fleet)]
fn generic<T>(item: T) -> T {
    item
}

#[loom::compute(fleet)]
fn takes_impl(text: impl Into<String>) -> String {
    text.into()
}

#[loom::compute(fleet, scope)]
fn borrows(text: &str) -> usize {
    text.len()
}

#[loom::compute(fleet)]
fn refers(text: &'static str) -> usize {
    text.len()
}

#[loom::compute(fleet)]
unsafe fn promises() {}

#[loom::compute(fleet = "1.5")]
fn dotted() {}

#[loom::compute(fleet = 2)]
fn a_number() {}

#[loom::compute(idempotent)]
fn alone() {}

#[loom::compute(fleet, idempotent = true)]
fn with_a_value() {}

#[loom::compute(fleets)]
fn nearly() {}

#[loom::compute(fleet)]
fn thirteen(
    _a: u8,
    _b: u8,
    _c: u8,
    _d: u8,
    _e: u8,
    _f: u8,
    _g: u8,
    _h: u8,
    _i: u8,
    _j: u8,
    _k: u8,
    _l: u8,
    _m: u8,
) {
}

fn main() {}
