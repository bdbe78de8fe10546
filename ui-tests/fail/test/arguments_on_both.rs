//! Arguments that another attribute gives are there once.

#[loom::test(arm = "both")]
#[given::by(1)]
async fn one(n: u32) {
    drop(n);
}

fn main() {}
