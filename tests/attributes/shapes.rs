//! `#[loom::compute]` on free functions, and the properties that they keep.

use std::cell::Cell;
use std::fmt::Display;
use std::future::Future;
use std::num::ParseIntError;
use std::thread;

use crate::is_of_pool;

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[loom::compute(hint = "low")]
fn where_low() -> String {
    thread_name()
}

#[loom::compute(hint = "high")]
fn where_high() -> String {
    thread_name()
}

#[loom::test]
async fn hints_place_the_first_call() {
    let here = thread_name();
    assert_eq!(where_low().await, here);
    let there = where_high().await;
    assert!(is_of_pool(&there), "{there}");
}

#[loom::test]
async fn calls_are_counted_under_the_item_path() {
    for _ in 0..3 {
        where_high().await;
    }
    let functions = loom::functions();
    assert_eq!(functions.len(), 1);
    let function = &functions[0];
    assert_eq!(function.name, "attributes::shapes::where_high");
    assert_eq!(function.path, function.name);
    assert_eq!(function.hint, loom::ComputeHint::High);
    assert_eq!(function.calls(), 3);
    assert_eq!(function.run_times.count(), 3);
}

/// With documentation, `must_use` and visibility.
#[loom::compute]
#[must_use]
#[inline(never)]
pub(crate) async fn declared_async(mut n: u32) -> u32 {
    n += 1;
    n
}

#[loom::compute]
fn early(text: String) -> Result<u32, ParseIntError> {
    if text.is_empty() {
        return Ok(0);
    }
    let n: u32 = text.parse()?;
    Ok(n * 2)
}

#[loom::compute]
fn fibonacci(n: u64) -> u64 {
    // Within the body, the name refers to the plain function.
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[loom::compute]
fn destructured((a, b): (u32, u32), [c, ..]: [u32; 3], _: String) -> u32 {
    a + b + c
}

#[loom::compute]
fn same_name_as_argument(same_name_as_argument: u8) -> u8 {
    same_name_as_argument + 1
}

#[loom::compute]
fn r#match(r#type: u8) -> u8 {
    r#type
}

#[loom::compute]
fn nothing() {}

#[loom::compute]
fn static_borrow(text: &'static str) -> &'static str {
    text.trim()
}

#[loom::compute]
fn opaque(n: u32) -> impl Iterator<Item = u32> + Send + 'static {
    (0..n).map(|i| i * i)
}

#[loom::compute]
fn future_in_body(n: u32) -> u32 {
    // A future may be made here, as long as it is not awaited.
    let later = async move { std::future::ready(n).await };
    let closure = async |m: u32| std::future::ready(m).await;
    drop((later, closure(n)));
    n
}

#[loom::test]
async fn functions_of_every_shape_give_their_results() {
    assert_eq!(declared_async(1).await, 2);
    assert_eq!(early(String::new()).await, Ok(0));
    assert_eq!(early("21".to_owned()).await, Ok(42));
    assert!(early("x".to_owned()).await.is_err());
    assert_eq!(fibonacci(20).await, 6_765);
    assert_eq!(destructured((1, 2), [3, 4, 5], String::new()).await, 6);
    assert_eq!(same_name_as_argument(1).await, 2);
    assert_eq!(r#match(7).await, 7);
    nothing().await;
    assert_eq!(static_borrow(" a ").await, "a");
    assert_eq!(opaque(4).await.collect::<Vec<_>>(), [0, 1, 4, 9]);
    assert_eq!(future_in_body(3).await, 3);
}

#[loom::compute(hint = "high")]
fn generic<T, const N: usize>(items: [T; N]) -> String
where
    T: Display + Send + 'static,
{
    items.map(|item| item.to_string()).join(",")
}

#[loom::compute]
fn not_inferred<T: std::str::FromStr + 'static, const N: usize>(text: String) -> bool {
    text.len() > N && text.parse::<T>().is_ok()
}

#[loom::test]
async fn parameters_that_no_argument_tells_are_passed_on() {
    assert!(not_inferred::<u8, 2>("255".to_owned()).await);
    assert!(!not_inferred::<u8, 2>("256".to_owned()).await);
}

macro_rules! define {
    ($name:ident, $hint:literal, $body:block) => {
        #[loom::compute(hint = $hint)]
        fn $name() -> u32 $body
    };
}
define!(by_macro, "low", { 7 });

#[loom::compute]
fn r#named(r#named: u8) -> String {
    format!("{} {}", r#named, stringify!(a.await))
}

#[loom::test]
async fn functions_may_come_from_macros_and_name_what_they_like() {
    assert_eq!(by_macro().await, 7);
    assert_eq!(r#named(1).await, "1 a.await");
}

#[loom::compute(hint = "high")]
fn by_trait(f: impl Fn(u32) -> u32 + Send + 'static) -> u32 {
    f(20)
}

#[loom::test]
async fn instances_of_a_generic_function_are_learned_apart() {
    assert_eq!(generic([1, 2]).await, "1,2");
    assert_eq!(generic(["a"]).await, "a");
    assert_eq!(by_trait(|n| n + 1).await, 21);
    assert_eq!(by_trait(|n| n + 2).await, 22);
    let calls: Vec<_> = loom::functions().iter().map(loom::FunctionStats::calls).collect();
    assert_eq!(calls, [1, 1, 1, 1]);
}

#[loom::test]
async fn futures_can_be_spawned_and_sent() {
    fn is_send<F: Future + Send + 'static>(future: F) -> F {
        future
    }
    let task = tokio::spawn(is_send(fibonacci(10)));
    assert_eq!(task.await.expect("it does not panic"), 55);
}

#[loom::compute(hint = "high")]
fn fails() -> u32 {
    panic!("as told")
}

#[loom::test]
async fn a_panic_reaches_the_awaiting_task_and_no_further() {
    let error = tokio::spawn(fails()).await.expect_err("it panicked");
    let payload = error.into_panic();
    assert_eq!(payload.downcast_ref(), Some(&"as told"));
    assert_eq!(loom::functions()[0].panicked, 1);
    assert_eq!(fibonacci(10).await, 55);
}

#[loom::test]
#[should_panic(expected = "as told")]
async fn a_panic_fails_the_test_that_awaits_it() {
    fails().await;
}

mod elsewhere {
    #[loom::compute(hint = "medium")]
    pub(crate) fn nested() -> &'static str {
        "nested"
    }
}

async fn outer(n: u32) -> u32 {
    #[loom::compute]
    fn local(n: u32) -> u32 {
        n
    }
    local(n).await
}

#[loom::test]
async fn functions_inside_functions_and_modules() {
    assert_eq!(outer(1).await, 1);
    assert_eq!(elsewhere::nested().await, "nested");
    let names: Vec<_> = loom::functions().iter().map(|function| function.name).collect();
    assert_eq!(
        names,
        ["attributes::shapes::elsewhere::nested", "attributes::shapes::outer::local"]
    );
}

mod renamed {
    pub(crate) use loom as weaver;
}

#[loom::compute(crate = crate::shapes::renamed::weaver, hint = "low")]
fn by_another_name() -> u8 {
    1
}

#[loom::test(crate = renamed::weaver)]
async fn loom_may_have_another_name() {
    assert_eq!(by_another_name().await, 1);
}

/// A value that is not `Send` may exist in the body, as long as it stays there.
#[loom::compute]
fn cell_inside(n: u32) -> u32 {
    let cell = Cell::new(n);
    cell.set(cell.get() + 1);
    cell.get()
}

#[loom::test]
async fn the_body_may_use_what_cannot_be_sent() {
    assert_eq!(cell_inside(1).await, 2);
}
