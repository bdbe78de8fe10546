#[loom::test]
async fn takes(n: u32) {
    drop(n);
}

#[loom::test]
async fn generic<T>() {}

fn main() {}
