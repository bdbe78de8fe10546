//! A fleet within this process: callers and workers are runtimes.

use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::fleet::{FarReason, FarStats, FleetError, FleetFunction, attempt};
use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use loom_fleet::{Fleet, Hub};
use serde::{Deserialize, Serialize};

fn builder(prefix: &str) -> LoomBuilder {
    let builder = LoomBuilder::new().prefix(prefix).tokio_threads(2).rayon_threads(1);
    builder.compute_priority(ComputePriority::Normal)
}

fn worker(hub: &Hub) -> LoomRuntime {
    builder("worker").fleet(Fleet::hub(hub).only_worker()).build().expect("a worker")
}

fn caller(hub: &Hub) -> LoomRuntime {
    builder("caller").fleet(Fleet::hub(hub).preferred()).build().expect("a caller")
}

fn far(runtime: &LoomRuntime, name: &str) -> FarStats {
    let functions = runtime.functions();
    let found = functions.into_iter().find(|function| function.name.ends_with(name));
    found.unwrap_or_else(|| panic!("`{name}` was called")).far
}

/// The prefix of the runtime that the calling thread belongs to.
fn place() -> String {
    loom::current_runtime().map_or_else(String::new, |runtime| runtime.config().prefix.clone())
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    lines: BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(flatten)]
    more: BTreeMap<String, String>,
}

fn order() -> Order {
    let more = BTreeMap::from([("from".to_owned(), "shop".to_owned())]);
    Order { id: 7, lines: BTreeMap::from([("tea".to_owned(), 2)]), note: None, more }
}

#[loom::compute(fleet, mode = "offload")]
fn counted(mut order: Order, by: u32) -> Result<(Order, String), String> {
    let tea = order.lines.get_mut("tea").ok_or("no tea")?;
    *tea += by;
    Ok((order, place()))
}

#[test]
fn arguments_and_results_travel() {
    let hub = Hub::new();
    let (worker, caller) = (worker(&hub), caller(&hub));
    caller.block_on(async {
        let (counted_order, place) = counted(order(), 3).await.expect("there is tea");
        assert_eq!((counted_order.lines["tea"], &*place), (5, "worker"));
        assert_eq!(counted_order.more, order().more);
        let none = Order { lines: BTreeMap::new(), ..order() };
        assert_eq!(counted(none, 1).await, Err("no tea".to_owned()));
    });
    let seen = far(&caller, "counted");
    assert_eq!((seen.sent, seen.returned, seen.under_way), (2, 2, 0), "{seen:?}");
    assert_eq!((seen.run_times.count(), seen.ways.count()), (2, 2));
    assert!(seen.way.is_some());
    let verdict = seen.verdict.expect("it is in a fleet");
    assert_eq!((verdict.goes, verdict.reason), (true, FarReason::Preferred));
    let told = seen.to_string();
    assert!(told.starts_with("2 of 2 far calls were answered; the way takes "), "{told}");
    let registry = prometheus::Registry::new();
    caller.prometheus_metrics().register(&registry).expect("new names");
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
    let done =
        "caller_function_far_calls_total{function=\"hub::counted\",size=\"\",outcome=\"done\"} 2\n";
    assert!(text.contains(done), "{text}");
    assert!(text.contains(
        "caller_function_far_way_seconds_count{function=\"hub::counted\",size=\"\"} 2\n"
    ));
    assert!(!text.contains("far_calls_total{function=\"hub::awaits\""), "it was not called");
    // The worker has placed them as its own.
    let functions = worker.functions();
    let served = functions.iter().find(|function| function.name.ends_with("counted"));
    assert_eq!(served.map(loom::FunctionStats::calls), Some(2));
}

#[loom::compute(fleet, mode = "offload")]
async fn awaits(times: u32) -> (u32, String) {
    let mut seen = 0;
    for _ in 0..times {
        loom::yield_now().await;
        // A call within stays with the worker.
        seen += counted(order(), 1).await.map_or(0, |(_, place)| u32::from(place == "worker"));
    }
    (seen, place())
}

#[test]
fn a_function_that_awaits_travels_as_a_whole() {
    let hub = Hub::new();
    let (worker, caller) = (worker(&hub), caller(&hub));
    assert_eq!(caller.block_on(awaits(3)), (3, "worker".to_owned()));
    assert_eq!(far(&caller, "awaits").returned, 1);
    assert_eq!(far(&worker, "counted").sent, 0, "nothing goes further");
}

#[test]
fn without_workers_calls_run_where_they_are_made() {
    let caller = caller(&Hub::new());
    caller.block_on(async {
        let (_, place) = counted(order(), 1).await.expect("there is tea");
        assert_eq!(place, "caller");
        assert_eq!(awaits(1).await.1, "caller");
    });
    let seen = far(&caller, "counted");
    assert_eq!(seen.to_string(), "0 of 1 far calls were answered, 1 were refused");
    assert_eq!(
        (seen.sent, seen.refused, seen.returned),
        (1, 1, 0),
        "asked once, then not for a while"
    );
}

#[loom::compute(fleet, mode = "offload")]
fn fails(with: String) -> u32 {
    panic!("out of {with}")
}

#[test]
fn a_panic_comes_back_with_its_message() {
    let hub = Hub::new();
    let (_worker, caller) = (worker(&hub), caller(&hub));
    let alone = builder("alone").build().expect("a runtime");
    for (runtime, sent) in [(caller, 1), (alone, 0)] {
        runtime.block_on(async {
            let failed = attempt(fails("tea".to_owned())).await;
            assert_eq!(failed, Err(FleetError::Panicked("out of tea".to_owned())));
            let task = loom::spawn_async(fails("ink".to_owned())).await.expect_err("it panics");
            assert_eq!(task.into_panic().downcast_ref::<String>().expect("text"), "out of ink");
        });
        assert_eq!(far(&runtime, "fails").panicked, 2 * sent);
    }
}

/// What has begun on a worker, and what was dropped there, by test.
static BEGUN: [AtomicUsize; 6] = [const { AtomicUsize::new(0) }; 6];
static DROPPED: [AtomicUsize; 6] = [const { AtomicUsize::new(0) }; 6];

struct CountsDrop(usize);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        DROPPED[self.0].fetch_add(1, Ordering::SeqCst);
    }
}

async fn is_more_than_zero(counts: &[AtomicUsize], test: usize) {
    while counts[test].load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

/// Has begun, and waits for ever if it is on a worker.
async fn begins(test: usize) -> CountsDrop {
    let counts = CountsDrop(test);
    BEGUN[test].fetch_add(1, Ordering::SeqCst);
    if place() == "worker" {
        pending::<()>().await;
    }
    counts
}

#[loom::compute(fleet, mode = "offload", key = "held")]
async fn held(test: usize) {
    drop(begins(test).await);
}

#[loom::compute(fleet, idempotent, mode = "offload")]
async fn held_or_here(test: usize) -> String {
    drop(begins(test).await);
    place()
}

#[test]
fn a_call_that_nobody_wants_is_dropped_there() {
    let hub = Hub::new();
    let (_worker, caller) = (worker(&hub), caller(&hub));
    caller.block_on(async {
        let call = loom::spawn_async(held(0));
        is_more_than_zero(&BEGUN, 0).await;
        assert_eq!(DROPPED[0].load(Ordering::SeqCst), 0);
        call.abort();
        is_more_than_zero(&DROPPED, 0).await;
        assert!(call.await.is_err_and(|error| error.is_cancelled()));
    });
    let seen = far(&caller, "held");
    assert_eq!((seen.sent, seen.given_up, seen.under_way), (1, 1, 0));
}

#[test]
fn a_call_that_is_lost_is_an_error_or_runs_again() {
    let hub = Hub::new();
    let (worker, caller) = (worker(&hub), caller(&hub));
    caller.block_on(async {
        let lost = loom::spawn_async(attempt(held(1)));
        let again = loom::spawn_async(held_or_here(2));
        is_more_than_zero(&BEGUN, 1).await;
        is_more_than_zero(&BEGUN, 2).await;
        worker.shutdown_background();
        let error = lost.await.expect("no panic").expect_err("it is lost");
        let text = error.to_string();
        assert!(matches!(error, FleetError::Lost { .. }), "{error:?}");
        assert!(text.contains("`held` was lost") && text.contains("idempotent"), "{text}");
        assert_eq!(again.await.expect("no panic"), "caller");
    });
    assert_eq!(far(&caller, "held").lost, 1);
    assert_eq!(far(&caller, "held_or_here").lost, 1);
}

#[test]
fn a_full_worker_says_so_and_the_call_runs_here() {
    let hub = Hub::new();
    let fleet = Fleet::hub(&hub).only_worker().most_calls(1);
    let _worker = builder("worker").fleet(fleet).build().expect("a worker");
    let caller = caller(&hub);
    caller.block_on(async {
        let held = loom::spawn_async(held(3));
        is_more_than_zero(&BEGUN, 3).await;
        let (_, place) = counted(order(), 1).await.expect("there is tea");
        assert_eq!(place, "caller");
        held.abort();
        assert!(held.await.is_err_and(|error| error.is_cancelled()));
    });
    let seen = far(&caller, "counted");
    assert_eq!(seen.refused, 1);
    let verdict = seen.verdict.expect("it is in a fleet");
    // The way is closed for a moment only, which may be over.
    assert!(verdict.goes || verdict.reason == FarReason::Closed, "{verdict:?}");
}

/// What is said adds up, whatever is measured.
#[test]
fn an_explanation_says_what_is_decided() {
    let hub = Hub::new();
    let _worker = worker(&hub);
    let caller = builder("caller").fleet(Fleet::hub(&hub)).build().expect("a caller");
    let alone = builder("alone").build().expect("a runtime");
    alone.block_on(awaits(0));
    assert_eq!(far(&alone, "awaits").verdict, None);
    let mut rules = Vec::new();
    caller.block_on(spins());
    for _ in 0..50 {
        caller.block_on(async {
            let calls: Vec<_> = (0..20).map(|_| loom::spawn_async(spins())).collect();
            tokio::task::yield_now().await;
            rules.push(far(&caller, "spins").verdict.expect("it is in a fleet"));
            for call in calls {
                call.await.expect("no panic");
            }
        });
    }
    for verdict in rules {
        let told = verdict.explain();
        assert_eq!(told.contains("goes to another process"), verdict.goes, "{told}");
        if verdict.reason == FarReason::Cost {
            assert_eq!(verdict.goes, verdict.there < verdict.here, "{verdict:?}");
            assert!(verdict.queue <= verdict.here, "{verdict:?}");
            assert!(verdict.way + verdict.wait <= verdict.there, "{verdict:?}");
        }
    }
}

#[loom::compute(fleet, hint = "high")]
fn spins() {
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_micros(500) {
        std::hint::spin_loop();
    }
}

#[test]
fn a_call_ends_when_its_time_is_up() {
    let hub = Hub::new();
    let _worker = worker(&hub);
    let limit = Duration::from_millis(20);
    let fleet = Fleet::hub(&hub).preferred().time_limit(limit);
    let caller = builder("caller").fleet(fleet).build().expect("a caller");
    let ended = caller.block_on(attempt(held(4)));
    let expected = FleetError::Expired { function: "held".to_owned(), after: limit };
    assert_eq!(ended, Err(expected));
    assert_eq!(far(&caller, "held").expired, 1);
}

static GOES_ON: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

#[loom::compute(fleet, mode = "offload")]
async fn goes_on_when_told() -> String {
    BEGUN[5].fetch_add(1, Ordering::SeqCst);
    if place() == "worker" {
        GOES_ON.acquire().await.expect("it is not closed").forget();
    }
    place()
}

#[test]
fn a_worker_that_ends_finishes_what_it_has() {
    let hub = Hub::new();
    let (worker, caller) = (worker(&hub), caller(&hub));
    caller.block_on(async {
        let call = loom::spawn_async(goes_on_when_told());
        is_more_than_zero(&BEGUN, 5).await;
        worker.shutdown();
        // It takes no more, and still has one.
        assert_eq!(goes_on_when_told().await, "caller");
        assert!(!worker.is_idle());
        GOES_ON.add_permits(1);
        worker.wait_for_shutdown().await;
        assert_eq!(call.await.expect("no panic"), "worker");
    });
}

#[test]
fn a_member_sends_no_call_to_itself() {
    let hub = Hub::new();
    let member = Fleet::hub(&hub).worker().preferred();
    let member = builder("member").fleet(member).build().expect("a member");
    let (_, place) = member.block_on(counted(order(), 1)).expect("there is tea");
    assert_eq!((&*place, far(&member, "counted").returned), ("member", 0));
}

#[test]
fn fleets_of_other_names_do_not_see_each_other() {
    let hub = Hub::new();
    let other = Fleet::hub(&hub).name("other").only_worker();
    let _worker = builder("worker").fleet(other).build().expect("a worker");
    let caller = caller(&hub);
    assert_eq!(caller.block_on(awaits(0)).1, "caller");
}

#[test]
fn wrong_settings_are_told() {
    let error = |fleet: Fleet| {
        let error = builder("wrong").fleet(fleet.worker()).build().expect_err("it is wrong");
        error.to_string()
    };
    let hub = Hub::new();
    let told = error(Fleet::hub(&hub).name("my fleet"));
    assert!(told.starts_with("`fleet.name` is \"my fleet\" (set in code); expected"), "{told}");
    let told = error(Fleet::hub(&hub).most_calls(0));
    assert!(told.contains("1 to 65536"), "{told}");
    let told = error(Fleet::hub(&hub).time_limit(Duration::ZERO));
    assert!(told.contains("`fleet.time_limit` is 0s"), "{told}");
}

/// What is not `Send` stays a matter of the function's own thread.
#[loom::compute(fleet)]
fn uses_rc(n: usize) -> usize {
    let own = Rc::new(n);
    *own
}

#[test]
fn a_function_with_fleet_needs_no_fleet() {
    let runtime = builder("alone").build().expect("a runtime");
    assert_eq!(runtime.block_on(uses_rc(3)), 3);
    let listed: Vec<_> = loom::fleet::functions().map(FleetFunction::name).collect();
    assert!(listed.contains(&"held".to_owned()), "the key: {listed:?}");
    assert!(listed.contains(&"hub::uses_rc".to_owned()), "the path: {listed:?}");
}
