//! What `#[loom::compute] async fn` may look like.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

#[loom::compute]
async fn doubled(n: u64) -> u64 {
    n * 2
}

#[loom::compute]
async fn quadrupled(n: u64) -> u64 {
    doubled(doubled(n).await).await
}

#[loom::compute(hint = "low", size = words.len(), priority = "high", key = "counting")]
async fn counted(words: Vec<String>, mut more: mpsc::Receiver<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    while let Some(word) = more.recv().await {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

struct Shop {
    prices: Vec<u64>,
}

impl Shop {
    #[loom::compute]
    async fn total(self: Arc<Self>, discount: oneshot::Receiver<u64>) -> Option<u64> {
        let discount = discount.await.ok()?;
        let sum: u64 = self.prices.iter().sum();
        if sum < discount {
            return None;
        }
        Some(sum - discount)
    }

    #[loom::compute(mode = "offload")]
    async fn consumed(self) -> Vec<u64> {
        tokio::task::yield_now().await;
        self.prices
    }
}

#[loom::compute]
async fn generic<T, const N: usize>(mut items: [T; N]) -> Option<T>
where
    T: Clone + Ord + Send + 'static,
{
    items.sort();
    loom::yield_now().await;
    items.last().cloned()
}

#[loom::compute]
async fn parsed((text, base): (String, u32)) -> Result<u64, std::num::ParseIntError> {
    let number = u64::from_str_radix(&text, base)?;
    Ok(quadrupled(number).await)
}

#[loom::compute]
async fn told(n: u64) -> String {
    format!("twice {n} is {}", doubled(n).await)
}

#[loom::compute]
async fn selects(first: oneshot::Receiver<u64>, second: oneshot::Receiver<u64>) -> u64 {
    tokio::select! {
        Ok(n) = first => n,
        Ok(n) = second => n + 100,
        else => 0,
    }
}

#[loom::compute]
async fn joins(a: u64, b: u64) -> u64 {
    let (a, b) = tokio::join!(doubled(a), quadrupled(b));
    a + b
}

trait Answers {
    async fn answer(self, question: String) -> usize;
}

struct Oracle;

impl Answers for Oracle {
    #[loom::compute]
    async fn answer(self, question: String) -> usize {
        doubled(1).await;
        question.len()
    }
}

#[loom::compute]
async fn gives_an_iterator(n: u64) -> impl Iterator<Item = u64> {
    let n = doubled(n).await;
    0..n
}

#[loom::compute(mode = "inline")]
async fn without_a_result(done: oneshot::Sender<()>) {
    doubled(1).await;
    done.send(()).expect("it is received");
}

#[loom::compute]
async fn counts_down(n: u64) -> u64 {
    if n == 0 { 0 } else { counts_down(n - 1).await + 1 }
}

#[loom::test(arm = "both")]
async fn shapes() {
    assert_eq!(quadrupled(2).await, 8);
    let (sender, receiver) = mpsc::channel(2);
    sender.send("a".to_owned()).await.expect("there is room");
    sender.send("b".to_owned()).await.expect("there is room");
    drop(sender);
    let counts = counted(vec!["a".to_owned()], receiver).await;
    assert_eq!(counts, BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
    let shop = Arc::new(Shop { prices: vec![1, 2, 3] });
    for (discount, expected) in [(1, Some(5)), (7, None)] {
        let (sender, receiver) = oneshot::channel();
        sender.send(discount).expect("it is received");
        assert_eq!(Arc::clone(&shop).total(receiver).await, expected);
    }
    let (_, receiver) = oneshot::channel();
    assert_eq!(shop.total(receiver).await, None);
    assert_eq!(Shop { prices: vec![4] }.consumed().await, [4]);
    assert_eq!(generic(["b", "c", "a"]).await, Some("c"));
    assert_eq!(generic([3, 2]).await, Some(3));
    assert_eq!(parsed(("ff".to_owned(), 16)).await, Ok(1020));
    assert!(parsed(("g".to_owned(), 16)).await.is_err());
    assert_eq!(told(4).await, "twice 4 is 8");
    let ((_first, a), (second, b)) = (oneshot::channel(), oneshot::channel());
    second.send(1).expect("it is received");
    assert_eq!(selects(a, b).await, 101);
    assert_eq!(joins(1, 2).await, 10);
    assert_eq!(Oracle.answer("why".to_owned()).await, 3);
    assert_eq!(gives_an_iterator(2).await.count(), 4);
    let (sender, receiver) = oneshot::channel();
    without_a_result(sender).await;
    receiver.await.expect("it was sent");
    assert_eq!(counts_down(100).await, 100);
}

#[loom::test]
async fn nothing_runs_before_the_first_poll() {
    let (sender, mut receiver) = oneshot::channel();
    let call = without_a_result(sender);
    tokio::task::yield_now().await;
    assert!(receiver.try_recv().is_err());
    call.await;
    assert!(receiver.try_recv().is_ok());
}
