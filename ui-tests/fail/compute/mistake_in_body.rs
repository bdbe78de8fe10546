//! Errors in a body are where they would be without the attribute.

#[loom::compute]
fn wrong_type(n: u32) -> String {
    n + 1
}

#[loom::compute]
fn no_tail(n: u32) -> u32 {
    n + 1;
}

#[loom::compute]
fn moved(text: String) -> (String, String) {
    (text, text)
}

#[loom::compute]
fn unknown(text: String) -> usize {
    text.length()
}

struct Cart(u32);

impl Cart {
    #[loom::compute]
    fn not_mutable(self) -> u32 {
        self.0 += 1;
        self.0
    }
}

fn main() {}
