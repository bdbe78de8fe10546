//! A runtime that cannot be built: one clear line, and a code that says so.

/// Not a literal, so it is the builder that refuses it.
const NONE: usize = 0;

#[loom::main(tokio_threads = NONE)]
async fn refused() {
    unreachable!("there is no runtime to run this on");
}

#[test]
fn runs() {
    let output = super::alone("entry::refused::runs", refused);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(
        errors,
        "error: `tokio_threads` is 0 (set in code); expected a whole number from 1 to 8192, or \
         leave it out for the default\n"
    );
}
