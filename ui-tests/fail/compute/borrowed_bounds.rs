//! Borrows that are bounds.

use std::fmt::Display;

#[loom::compute]
fn object(item: Box<dyn Display + '_>) -> String {
    item.to_string()
}

#[loom::compute]
fn opaque<'a>(item: impl Display + Send + 'a) -> String {
    item.to_string()
}

#[loom::compute]
fn within(items: impl Iterator<Item = &'static str> + Send + 'static, more: Vec<&mut u8>) -> usize {
    items.count() + more.len()
}

fn main() {}
