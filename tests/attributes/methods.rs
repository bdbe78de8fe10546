//! `#[loom::compute]` on methods, in `impl`s and traits, generic or not.

use std::fmt::Display;
use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[derive(Clone, Debug, PartialEq)]
struct Cart {
    prices: Vec<u32>,
    owner: String,
}

fn cart() -> Cart {
    Cart { prices: vec![3, 1, 2], owner: "Ada".to_owned() }
}

impl Cart {
    #[loom::compute(hint = "high")]
    fn total(self) -> u32 {
        self.prices.iter().sum()
    }

    #[loom::compute]
    fn sorted(mut self) -> Self {
        self.prices.sort_unstable();
        self
    }

    #[loom::compute]
    fn shared(self: Arc<Self>, factor: u32) -> u32 {
        if self.prices.is_empty() {
            return 0;
        }
        self.prices.iter().map(|price| price * factor).sum()
    }

    #[loom::compute]
    fn boxed(mut self: Box<Self>) -> Box<Self> {
        self.prices.push(4);
        self
    }

    #[loom::compute]
    fn new(prices: Vec<u32>) -> Self {
        Self { prices, owner: Self::nobody() }
    }

    fn nobody() -> String {
        "nobody".to_owned()
    }

    /// Has the same name as a function beside the type.
    #[loom::compute]
    fn parse(text: String) -> Result<Self, std::num::ParseIntError> {
        let prices = text.split(' ').map(parse).collect::<Result<_, _>>()?;
        Ok(Cart { prices, owner: text })
    }

    #[loom::compute(size = self.prices.len() + extra)]
    fn sized(self, extra: usize) -> usize {
        self.prices.len() + extra
    }

    #[loom::compute]
    fn largest(self, n: usize) -> impl Iterator<Item = u32> {
        let mut prices = self.prices;
        prices.sort_unstable();
        prices.into_iter().rev().take(n)
    }
}

fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[loom::test(arm = "both")]
async fn methods_take_self_in_every_owned_form() {
    assert_eq!(cart().total().await, 6);
    assert_eq!(cart().sorted().await.prices, [1, 2, 3]);
    assert_eq!(Arc::new(cart()).shared(2).await, 12);
    assert_eq!(Box::new(cart()).boxed().await.prices, [3, 1, 2, 4]);
    assert_eq!(Cart::new(vec![7]).await, Cart { prices: vec![7], owner: "nobody".to_owned() });
    assert_eq!(Cart::parse("1 2".to_owned()).await.map(|cart| cart.prices), Ok(vec![1, 2]));
    assert!(Cart::parse("x".to_owned()).await.is_err());
    assert_eq!(cart().sized(1).await, 4);
    assert_eq!(cart().largest(2).await.collect::<Vec<_>>(), [3, 2]);
}

#[loom::test]
async fn methods_are_called_by_their_types() {
    let sum = cart().total().await;
    let functions = loom::functions();
    let [total] = &functions[..] else { panic!("one was called: {functions:?}") };
    assert_eq!((sum, total.name), (6, "attributes::methods::Cart::total"));
    assert_eq!(total.path, "attributes::methods::total");
}

struct Wrapper<T>(T);

impl<T: Display + Send + 'static> Wrapper<T> {
    #[loom::compute]
    fn show(self) -> String {
        self.0.to_string()
    }

    /// Uses the type's parameter, which its signature does not mention.
    #[loom::compute]
    fn width(padding: usize) -> usize {
        size_of::<T>() + padding
    }

    #[loom::compute]
    fn join<U: Display + Send + 'static, const N: usize>(self, others: [U; N]) -> String {
        let others = others.map(|other| other.to_string()).join(",");
        format!("{}:{others}", self.0)
    }
}

#[loom::test(arm = "both")]
async fn methods_of_generic_types_are_learned_apart() {
    assert_eq!(Wrapper(1_u8).show().await, "1");
    assert_eq!(Wrapper("a").show().await, "a");
    assert_eq!(Wrapper::<u8>::width(1).await, 2);
    assert_eq!(Wrapper::<u64>::width(1).await, 9);
    assert_eq!(Wrapper(1_u8).join([2, 3]).await, "1:2,3");
    let functions = loom::functions();
    assert_eq!(functions.len(), 5, "{functions:?}");
    let mut keys: Vec<_> = functions.iter().map(|function| function.key.0).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
    let names: Vec<_> = functions.iter().map(|function| function.name).collect();
    assert!(names.contains(&"attributes::methods::Wrapper<u8>::show"), "{names:?}");
    assert!(names.contains(&"attributes::methods::Wrapper<&str>::show"), "{names:?}");
}

trait Priced {
    async fn price(self) -> u32;

    fn spread(self, by: u32) -> impl Future<Output = (u32, u32)> + Send;

    #[loom::compute]
    fn thrice(self) -> u32
    where
        Self: Copyable + Sized + Send + 'static,
    {
        self.value() * 3
    }
}

trait Copyable {
    fn value(&self) -> u32;
}

impl Copyable for u32 {
    fn value(&self) -> u32 {
        *self
    }
}

impl Priced for u32 {
    #[loom::compute(hint = "low")]
    fn price(self) -> u32 {
        self
    }

    #[loom::compute]
    fn spread(self, by: u32) -> (u32, u32) {
        (self - by, self + by)
    }
}

impl Priced for Cart {
    #[loom::compute]
    async fn price(self) -> u32 {
        self.prices[0]
    }

    #[loom::compute]
    fn spread(self, by: u32) -> (u32, u32) {
        (by, self.prices[0] + u32::from(Self::nobody().is_empty()))
    }
}

#[loom::test(arm = "both")]
async fn methods_of_traits() {
    assert_eq!(7.price().await, 7);
    assert_eq!(7.spread(1).await, (6, 8));
    assert_eq!(7.thrice().await, 21);
    assert_eq!(cart().price().await, 3);
    assert_eq!(tokio::spawn(cart().spread(1)).await.expect("it does not panic"), (1, 3));
    let names: Vec<_> = loom::functions().iter().map(|function| function.name).collect();
    assert!(
        names.contains(&"<u32 as attributes::methods::Priced>::price"),
        "the trait and the type: {names:?}"
    );
}

/// Records whether it was dropped on a compute thread.
struct Tells(Arc<AtomicUsize>);

impl Drop for Tells {
    fn drop(&mut self) {
        let is_compute = thread::current().name().is_some_and(|name| name.contains("rayon"));
        self.0.fetch_add(if is_compute { 100 } else { 1 }, Ordering::Relaxed);
    }
}

struct Parts {
    used: u32,
    _unused: Tells,
}

impl Parts {
    #[loom::compute(mode = "offload")]
    fn some(self, _: Tells, _also: Tells) -> u32 {
        self.used
    }
}

#[loom::test]
async fn all_arguments_end_where_the_function_does() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let tells = || Tells(Arc::clone(&dropped));
    assert_eq!(Parts { used: 1, _unused: tells() }.some(tells(), tells()).await, 1);
    assert_eq!(dropped.load(Ordering::Relaxed), 300);
}

#[loom::compute(mode = "inline")]
#[inline(never)]
fn apart(a: Ends, b: Ends, (c, _d): (Ends, Ends), _: Ends) {
    assert!([&b, &a, &c].iter().all(|end| end.0.is_alphabetic()));
}

#[loom::compute(mode = "inline")]
fn together(a: Ends, b: Ends, (c, _d): (Ends, Ends), _: Ends) {
    assert!([&b, &a, &c].iter().all(|end| end.0.is_alphabetic()));
}

#[allow(clippy::needless_pass_by_value, reason = "as the annotated ones have them")]
fn plain(a: Ends, b: Ends, (c, _d): (Ends, Ends), _: Ends) {
    assert!([&b, &a, &c].iter().all(|end| end.0.is_alphabetic()));
}

/// Records when it was dropped.
struct Ends(char, Arc<std::sync::Mutex<String>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.1.lock().expect("nobody panics").push(self.0);
    }
}

#[loom::test]
async fn arguments_end_in_the_order_of_a_plain_function() {
    let order = Arc::new(std::sync::Mutex::new(String::new()));
    let ends = |name| Ends(name, Arc::clone(&order));
    let taken = || mem::take(&mut *order.lock().expect("nobody panics"));
    plain(ends('a'), ends('b'), (ends('c'), ends('d')), ends('_'));
    let expected = taken();
    together(ends('a'), ends('b'), (ends('c'), ends('d')), ends('_')).await;
    assert_eq!(taken(), expected);
    apart(ends('a'), ends('b'), (ends('c'), ends('d')), ends('_')).await;
    assert_eq!(taken(), expected);
}
