//! `hint`, `mode`, `size`, `priority`, `key` and `runtime`.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use loom::mab::FunctionKey;
use loom::{ComputeHint, ComputePriority, FunctionStats, LoomBuilder, LoomRuntime, Mode};

use crate::is_of_pool;

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn stats(name: &str) -> FunctionStats {
    let functions = loom::functions();
    let found = functions.iter().find(|f| f.name.ends_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {functions:?}")).clone()
}

const EXPECTED: ComputeHint = ComputeHint::Medium;

#[loom::compute(hint = EXPECTED)]
fn by_constant() {}

#[loom::compute(hint = { use loom::ComputeHint as Cost; Cost::Low })]
fn by_path() -> String {
    thread_name()
}

#[loom::test]
async fn a_hint_may_be_an_expression() {
    by_constant().await;
    let here = thread_name();
    assert_eq!(by_path().await, here);
    assert_eq!(stats("by_constant").hint, ComputeHint::Medium);
    assert_eq!(stats("by_path").hint, ComputeHint::Low);
}

#[loom::compute(mode = "offload")]
fn offloaded() -> String {
    thread_name()
}

#[loom::compute(mode = "inline")]
fn inline() -> String {
    thread_name()
}

#[loom::compute(mode = "observe", hint = "high")]
fn observed() -> String {
    thread_name()
}

#[loom::compute(mode = "adaptive", hint = "high")]
fn adaptive() -> String {
    thread_name()
}

#[loom::test]
async fn a_mode_decides_where_calls_run() {
    let here = thread_name();
    for _ in 0..100 {
        assert!(is_of_pool(&offloaded().await));
        assert_eq!(inline().await, here);
        assert_eq!(observed().await, here);
    }
    assert!(is_of_pool(&adaptive().await), "the first, by its hint");
    let (told, never) = (stats("::offloaded"), stats("::inline"));
    assert_eq!((told.mode, told.offloaded, told.inline), (Mode::Offload, 100, 0));
    assert_eq!((never.mode, never.offloaded, never.inline), (Mode::Inline, 0, 100));
    assert_eq!(never.withheld, 0);
    let verdict = never.verdict.expect("it was called");
    assert_eq!(verdict.reason.to_string(), "forced");
}

#[loom::test]
async fn observing_tells_what_would_have_been() {
    for _ in 0..100 {
        observed().await;
    }
    let seen = stats("::observed");
    assert_eq!((seen.mode, seen.calls(), seen.inline), (Mode::Observe, 100, 100));
    // The hint decides until there are measurements.
    assert!(seen.withheld > 0 && seen.withheld < 100, "{seen:?}");
    assert!(seen.run_times.count() > 0);
}

#[loom::test(arm = "offload")]
async fn a_test_moves_adaptive_functions_alone() {
    let here = thread_name();
    assert!(is_of_pool(&by_path().await));
    assert_eq!(inline().await, here);
    assert_eq!(observed().await, here);
}

#[loom::test(arm = "inline")]
async fn a_test_keeps_adaptive_functions_alone() {
    let here = thread_name();
    assert_eq!(adaptive().await, here);
    assert!(is_of_pool(&offloaded().await));
}

#[loom::compute(key = "resize")]
fn named() {}

#[loom::compute(key = "measure")]
fn of_a_type<T: 'static>() -> usize {
    size_of::<T>()
}

mod namesake {
    #[loom::compute]
    pub(super) fn one() {
        #[loom::compute]
        fn local() {}
        drop(local());
    }

    pub(super) async fn two() -> (u8, u8) {
        let first = {
            #[loom::compute]
            fn local() -> u8 {
                1
            }
            local().await
        };
        let second = {
            #[loom::compute]
            fn local() -> u8 {
                2
            }
            local().await
        };
        (first, second)
    }
}

#[loom::test]
async fn keys_tell_functions_apart() {
    named().await;
    assert_eq!((of_a_type::<u8>().await, of_a_type::<u16>().await), (1, 2));
    assert_eq!(namesake::two().await, (1, 2));
    namesake::one().await;
    let functions = loom::functions();
    let mut keys: Vec<_> = functions.iter().map(|f| f.key.0).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), functions.len(), "{functions:?}");
    assert_eq!(stats("resize").key, FunctionKey::from_name("resize"));
    assert_eq!(functions.iter().filter(|f| f.name.starts_with("measure (")).count(), 2);
    assert_eq!(functions.iter().filter(|f| f.name.ends_with("two::local")).count(), 2);
}

#[loom::compute(mode = "offload", priority = "high")]
fn first(order: Arc<Mutex<Vec<u8>>>) {
    order.lock().expect("nobody panics").push(1);
}

#[loom::compute(mode = "offload", priority = "low")]
fn last(order: Arc<Mutex<Vec<u8>>>) {
    order.lock().expect("nobody panics").push(3);
}

#[loom::compute(mode = "offload")]
fn between(order: Arc<Mutex<Vec<u8>>>) {
    order.lock().expect("nobody panics").push(2);
}

#[loom::test(rayon_threads = 1)]
async fn calls_of_high_priority_go_first() {
    let (order, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Barrier::new(2)));
    let open = Arc::clone(&gate);
    // Until this call ends, the only thread takes no other call.
    let busy = loom::spawn_compute(move || {
        gate.wait();
    });
    let calls = async {
        tokio::join!(last(order.clone()), between(order.clone()), first(order.clone()));
    };
    let mut calls = std::pin::pin!(calls);
    std::future::poll_fn(|cx| {
        assert!(calls.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    open.wait();
    calls.await;
    busy.await;
    assert_eq!(*order.lock().expect("nobody panics"), [1, 2, 3]);
}

#[derive(Clone)]
struct State {
    runtime: LoomRuntime,
}

#[loom::compute(runtime = &state.runtime, mode = "offload")]
fn elsewhere(state: State) -> (String, usize) {
    (thread_name(), state.runtime.rayon_threads())
}

impl State {
    #[loom::compute(runtime = &self.runtime, size = size, mode = "offload")]
    fn of_method(self: Arc<Self>, size: u8) -> String {
        format!("{} {size}", thread_name())
    }
}

#[loom::test]
async fn a_call_may_be_of_another_runtime() {
    let other = LoomBuilder::new().prefix("other").rayon_threads(1).tokio_threads(1);
    let other = other.compute_priority(ComputePriority::Normal).build();
    let state = State { runtime: other.expect("it starts") };
    let (name, threads) = elsewhere(state.clone()).await;
    assert_eq!((&*name, threads), ("other-rayon-0000", 1));
    assert_eq!(Arc::new(state.clone()).of_method(3).await, "other-rayon-0000 3");
    assert_eq!(state.runtime.functions().len(), 2);
    assert_eq!(loom::functions().len(), 0);
    state.runtime.shutdown_background();
}
