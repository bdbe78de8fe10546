#[loom::test]
#[loom::test(arm = "both")]
async fn one() {}

fn main() {}
