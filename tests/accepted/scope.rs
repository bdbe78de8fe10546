//! Arguments and results of a scoped call may be borrowed.

#[loom::compute(scope, hint = "high")]
fn sort(items: &mut Vec<u32>) -> &mut u32 {
    items.sort_unstable();
    &mut items[0]
}

struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    #[loom::compute(scope)]
    fn words(&self) -> Vec<&'a str> {
        self.0.split(' ').collect()
    }

    #[loom::compute(scope)]
    fn into_inner(self) -> &'a str {
        self.0
    }
}

#[loom::test]
async fn runs() {
    let mut items = vec![3, 1, 2];
    *sort(&mut items).await = 0;
    assert_eq!(items, [0, 2, 3]);
    let text = "a b".to_owned();
    let words = Text(&text).words().await;
    assert_eq!(words, ["a", "b"]);
    assert_eq!(Text(&text).into_inner().await, "a b");
}
