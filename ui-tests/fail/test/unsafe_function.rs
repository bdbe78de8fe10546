#[loom::test]
async unsafe fn one() {}

#[loom::test]
unsafe fn plain() {}

fn main() {}
