//! Documented, warnings denied.

#![deny(warnings, missing_docs, unsafe_code, unreachable_pub, unused_qualifications)]

/// With a result that is not awaited for anything.
#[loom::main]
#[allow(clippy::unused_async)]
async fn main() -> Result<(), std::fmt::Error> {
    let mut text = String::new();
    std::fmt::Write::write_str(&mut text, "a")?;
    Ok(())
}

#[test]
fn runs() -> Result<(), std::fmt::Error> {
    main()
}
