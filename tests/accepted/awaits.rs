//! Functions that await, in the shapes of any other, under strict lints.

#![deny(warnings, clippy::all, clippy::pedantic)]

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

/// Many arguments, the last of which share a tuple.
#[loom::compute]
#[expect(clippy::too_many_arguments, reason = "that is the case")]
async fn many(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
    (n, o): (u8, u8),
) -> u32 {
    ready(()).await;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o].into_iter().map(u32::from).sum()
}

#[loom::compute]
async fn opaque(numbers: impl Iterator<Item = u32> + Send + 'static) -> impl Iterator<Item = u32> {
    ready(()).await;
    numbers.map(|n| n + 1)
}

#[loom::compute]
async fn with_conditions(#[cfg(unix)] n: u32, #[cfg(not(unix))] n: u64, _unused: u8) -> bool {
    ready(n > 0).await
}

/// It is documented, deprecated and must be used.
#[loom::compute(mode = "offload", priority = "low", key = "given")]
#[deprecated = "for the test"]
#[must_use = "for the test"]
async fn marked(mut n: u32) -> u32 {
    n += 1;
    ready(n).await
}

#[loom::compute]
async fn early(n: Option<u32>) -> Option<u32> {
    let n = n?;
    if n == 0 {
        return None;
    }
    for i in 0.. {
        if ready(i).await == n {
            break;
        }
    }
    Some(n)
}

#[loom::compute]
async fn only_in_an_inner_block(n: u32) -> u32 {
    let later = async move { ready(n).await };
    let and_later = async |n: u32| ready(n).await;
    and_later(later.await).await
}

/// Nothing in it awaits: it is a body that runs once.
#[loom::compute]
async fn awaits_elsewhere(n: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move { ready(n).await })
}

#[loom::compute]
async fn joins(a: u32, b: u32) -> u32 {
    let (a, b) = tokio::join!(ready(a), ready(b));
    a + b
}

#[loom::compute]
async fn tries(a: Result<u32, String>) -> Result<u32, String> {
    let (a, b) = tokio::try_join!(ready(a), ready(Ok(1)))?;
    Ok(a + b)
}

#[loom::compute]
async fn in_macros(n: u32) -> Vec<String> {
    assert_eq!(ready(n).await, n, "of {}", ready(n).await);
    vec![format!("{}", ready(n).await), ready(String::new()).await]
}

struct Shop<T>(T);

impl<T: Clone + Send + Sync + 'static> Shop<T> {
    #[loom::compute]
    async fn shared(self: Arc<Self>) -> T {
        ready(()).await;
        self.0.clone()
    }

    #[loom::compute]
    async fn boxed(self: Box<Self>) -> T {
        ready(()).await;
        self.0
    }

    #[loom::compute]
    async fn made(value: T) -> Self {
        ready(Self(value)).await
    }
}

trait Store {
    fn load(self, key: String) -> impl Future<Output = usize> + Send;

    async fn size(self) -> usize;
}

impl Store for Shop<u32> {
    #[loom::compute]
    async fn load(self, key: String) -> usize {
        ready(key.len()).await
    }

    #[loom::compute]
    async fn size(self) -> usize {
        ready(4).await
    }
}

#[loom::compute]
async fn recursive(n: u32) -> u32 {
    if n == 0 { ready(0).await } else { recursive(n - 1).await + 1 }
}

macro_rules! makes {
    ($name:ident, $value:expr) => {
        #[loom::compute]
        async fn $name() -> u32 {
            ready($value).await
        }
    };
}

makes! { made_by_a_macro, 5 }

#[loom::test(arm = "both")]
#[expect(deprecated, reason = "that is the case")]
async fn runs() {
    assert_eq!(many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, (1, 1)).await, 15);
    assert_eq!(opaque([1, 2].into_iter()).await.sum::<u32>(), 5);
    assert!(with_conditions(1, 0).await);
    assert_eq!(marked(1).await, 2);
    assert_eq!(
        (early(Some(2)).await, early(Some(0)).await, early(None).await),
        (Some(2), None, None)
    );
    assert_eq!(only_in_an_inner_block(3).await, 3);
    assert_eq!(awaits_elsewhere(3).await.await, 3);
    assert_eq!(joins(1, 2).await, 3);
    assert_eq!(tries(Ok(1)).await, Ok(2));
    assert_eq!(tries(Err(String::new())).await, Err(String::new()));
    assert_eq!(in_macros(1).await, ["1", ""]);
    assert_eq!(Arc::new(Shop(7)).shared().await, 7);
    assert_eq!(Box::new(Shop(8)).boxed().await, 8);
    assert_eq!(Shop::made(9).await.0, 9);
    assert_eq!(Shop(1).load("key".to_owned()).await, 3);
    assert_eq!(Shop(1).size().await, 4);
    assert_eq!(recursive(10).await, 10);
    assert_eq!(made_by_a_macro().await, 5);
    // Each can be spawned, and kept.
    let tasks = [tokio::spawn(recursive(3)), tokio::spawn(joins(1, 2))];
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), 3);
    }
}
