//! `scope`: borrowed arguments.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;

use crate::is_of_pool;

#[loom::compute(scope, hint = "high")]
fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    if a.len() < b.len() { b } else { a }
}

#[loom::compute(scope, mode = "offload")]
fn sort(items: &mut [u32]) -> String {
    items.sort_unstable();
    thread::current().name().unwrap_or_default().to_owned()
}

#[loom::compute(scope, size = items.len())]
fn sum<T: Copy + Send + Sync + Into<u64>>(items: &[T]) -> u64 {
    items.iter().copied().map(Into::into).sum()
}

struct Text(String);

impl Text {
    #[loom::compute(scope)]
    fn word(&self, n: usize) -> Option<&str> {
        self.0.split(' ').nth(n)
    }

    #[loom::compute(scope)]
    fn push(&mut self, more: &str) -> &mut Self {
        self.0.push_str(more);
        self
    }

    #[loom::compute(scope, mode = "offload")]
    fn fails(&self) {
        panic!("{}", self.0);
    }
}

#[loom::test(arm = "both")]
async fn arguments_and_results_may_be_borrowed() {
    let (a, b) = ("one".to_owned(), "three".to_owned());
    assert_eq!(longest(&a, &b).await, "three");
    let mut items = [3_u32, 1, 2];
    assert_eq!(sum(&items).await, 6);
    let thread = sort(&mut items).await;
    assert!(is_of_pool(&thread), "{thread}");
    assert_eq!(items, [1, 2, 3]);
    let mut text = Text("a b".to_owned());
    text.push(" c").await.push(" d").await;
    assert_eq!(text.word(3).await, Some("d"));
}

#[loom::test]
async fn a_panic_reaches_the_caller_and_the_borrow_is_over() {
    let mut text = Text("as told".to_owned());
    let failed = tokio::spawn(async move {
        let message = caught(text.fails()).await;
        text.push("!").await;
        (message, text.0)
    });
    let (message, text) = failed.await.expect("it was caught");
    assert_eq!(message.as_deref(), Some("as told"));
    assert_eq!(text, "as told!");
    let functions = loom::functions();
    let fails = functions.iter().find(|f| f.name.ends_with("fails")).expect("it was called");
    assert_eq!((fails.offloaded, fails.panicked), (1, 1));
}

/// The message of a panic while `future` is polled, if any.
async fn caught(future: impl Future<Output = ()>) -> Option<String> {
    let mut future = pin!(future);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(|()| None),
        Err(payload) => Poll::Ready(payload.downcast_ref::<String>().cloned()),
    })
    .await
}

#[loom::test(tokio_flavor = "current_thread", arm = "offload")]
async fn it_works_on_one_thread() {
    let mut items = vec![2, 1];
    sort(&mut items).await;
    assert_eq!(longest("a", "ab").await, "ab");
    assert_eq!(items, [1, 2]);
}

#[tokio::test]
async fn it_works_in_a_plain_program() {
    assert_eq!(longest("a", "ab").await, "ab");
}

#[loom::compute(scope, mode = "offload")]
fn meet(there: &Barrier) -> bool {
    there.wait().is_leader()
}

#[loom::test(tokio_threads = 1)]
async fn other_tasks_go_on_meanwhile() {
    let there = Arc::new(Barrier::new(2));
    // The only worker waits for `one`, and runs `other` meanwhile.
    let one = Arc::clone(&there);
    let one = loom::spawn_async(async move { meet(&one).await });
    let other = loom::spawn_async(async move { there.wait().is_leader() });
    let (one, other) = (one.await, other.await);
    assert_ne!(one.expect("it does not panic"), other.expect("it does not panic"));
}
