#[loom::test(arm = "offloaded")]
async fn one() {}

#[loom::test(arm = loom::Arm::InlineTokio)]
async fn other() {}

fn main() {}
