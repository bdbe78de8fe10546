//! `main` may never return.

#[loom::main]
async fn main() -> ! {
    std::process::exit(7)
}

#[test]
fn runs() {
    let output = super::alone("entry::never::runs", || main());
    assert_eq!(output.status.code(), Some(7));
}
