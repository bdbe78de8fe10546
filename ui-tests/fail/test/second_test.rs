#[loom::test]
#[test]
async fn one() {}

#[loom::test]
#[tokio::test]
async fn other() {}

fn main() {}
