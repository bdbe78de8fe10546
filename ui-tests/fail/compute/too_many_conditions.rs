#[loom::compute]
fn many(
    #[cfg(a)] a: u8,
    #[cfg(b)] b: u8,
    #[cfg(c)] c: u8,
    #[cfg(d)] d: u8,
    #[cfg(e)] e: u8,
    #[cfg(a)] again: u8,
) {
}

fn main() {}
