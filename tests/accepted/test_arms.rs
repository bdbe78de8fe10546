//! A test runs on the arm that it names, or on both.

#[loom::test(arm = "inline")]
async fn inline() {}

#[loom::test(arm = "offload")]
async fn offload() -> Result<(), std::num::ParseIntError> {
    "1".parse::<u8>()?;
    Ok(())
}

#[loom::test(arm = "both")]
#[should_panic(expected = "on either")]
async fn both() {
    panic!("on either");
}
