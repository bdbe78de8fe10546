//! What is the function's own name, and what only looks like it.

#![deny(warnings)]
#![allow(unused_qualifications)]

struct Store<T>(T);

impl<T: Send + 'static> Store<T> {
    #[loom::compute]
    fn items(items: Vec<T>) -> impl Iterator<Item = T> + Send + 'static {
        items.into_iter()
    }

    #[loom::compute]
    fn len(items: Vec<T>) -> usize {
        let len = items.len();
        std::cmp::max(len, 1)
    }

    #[loom::compute]
    fn sum(items: Vec<u32>) -> u32 {
        // The one beside the type, which a bare name would not be.
        self::sum(items)
    }
}

fn sum(items: Vec<u32>) -> u32 {
    items.into_iter().sum()
}

#[loom::compute]
fn sort(mut items: Vec<u32>) -> Vec<u32> {
    if items.len() < 2 {
        return items;
    }
    let rest = items.split_off(items.len() / 2);
    let mut all = Vec::new();
    all.append(&mut sort(items));
    all.append(&mut sort(rest));
    all.sort_unstable();
    all
}

#[loom::compute]
fn factorial(n: u64) -> u64 {
    struct Factor(u64);
    impl Factor {
        fn new(n: u64) -> Self {
            Self(n)
        }
    }
    if Factor::new(n).0 == 0 { 1 } else { n * factorial(n - 1) }
}

#[loom::compute(size = values)]
fn values(values: u64) -> impl Fn(&u64) -> u64 + Send + 'static {
    move |n| *n + values
}

#[loom::compute(size = format!("{text}{}", 1).len())]
fn told_in_a_string(text: String) -> usize {
    text.len()
}

#[loom::test]
async fn runs() {
    let store = Store(0);
    assert_eq!(Store::<u8>::items(vec![1]).await.next(), Some(store.0 + 1));
    assert_eq!(Store::<u8>::len(vec![1, 2]).await, 2);
    assert_eq!(Store::<u8>::sum(vec![1, 2]).await, 3);
    assert_eq!(sort(vec![3, 1, 2]).await, [1, 2, 3]);
    assert_eq!(factorial(5).await, 120);
    assert_eq!(values(1).await(&2), 3);
    assert_eq!(told_in_a_string("ab".to_owned()).await, 2);
}
