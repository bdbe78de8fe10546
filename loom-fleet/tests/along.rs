//! What travels along with a call: task-locals, the deadline, and what a propagator tells.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use loom_fleet::{Fleet, Hub, Propagate};
use tracing::Span;

tokio::task_local! {
    static USER: String;
    static TRIES: u32;
}

fn member(prefix: &str, fleet: Fleet) -> LoomRuntime {
    let builder = LoomBuilder::new().prefix(prefix).tokio_threads(1).rayon_threads(1);
    let builder = builder.compute_priority(ComputePriority::Normal).fleet(fleet);
    builder.build().expect("a member")
}

/// The prefix of the runtime that the calling thread belongs to.
fn place() -> String {
    loom::current_runtime().map_or_else(String::new, |runtime| runtime.config().prefix.clone())
}

type Seen = (String, Option<String>, Option<u32>);

fn seen() -> Seen {
    (place(), USER.try_with(String::clone).ok(), TRIES.try_with(|tries| *tries).ok())
}

#[loom::compute(fleet, mode = "offload", carry(USER, TRIES))]
fn computes(_n: u64) -> Seen {
    seen()
}

#[loom::compute(fleet, mode = "offload", carry(USER, TRIES))]
async fn awaits(_n: u64) -> Seen {
    tokio::task::yield_now().await;
    seen()
}

#[loom::compute(fleet, mode = "offload")]
fn carries_nothing() -> Seen {
    seen()
}

#[test]
fn task_locals_travel_where_they_are_named() {
    let hub = Hub::new();
    let _worker = member("worker", Fleet::hub(&hub).only_worker());
    let caller = member("caller", Fleet::hub(&hub).preferred());
    let there = |user: Option<&str>, tries| ("worker".to_owned(), user.map(str::to_owned), tries);
    caller.block_on(async {
        USER.scope("Ada".to_owned(), async {
            assert_eq!(computes(1).await, there(Some("Ada"), None));
            assert_eq!(awaits(1).await, there(Some("Ada"), None));
            assert_eq!(carries_nothing().await, there(None, None));
            TRIES
                .scope(3, async {
                    assert_eq!(computes(2).await, there(Some("Ada"), Some(3)));
                    assert_eq!(awaits(2).await, there(Some("Ada"), Some(3)));
                })
                .await;
        })
        .await;
        assert_eq!(computes(3).await, there(None, None));
    });
}

#[test]
fn what_travels_along_is_a_part_of_the_signature() {
    let fingerprint = |name: &str| {
        let mut all = loom::fleet::functions();
        all.find(|function| function.name().ends_with(name)).expect("it is listed").fingerprint()
    };
    assert_eq!(fingerprint("::computes"), fingerprint("::awaits"));
    assert_ne!(fingerprint("::computes"), fingerprint("::carries_nothing"));
}

/// Tells the user, and keeps what it is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<HashMap<String, String>>>>);

impl Propagate for Told {
    fn inject(&self, headers: &mut HashMap<String, String>) {
        if let Ok(user) = USER.try_with(String::clone) {
            headers.insert("User".to_owned(), user);
        }
    }

    fn extract(&self, headers: &HashMap<String, String>, _span: &Span) {
        self.0.lock().expect("no panic").push(headers.clone());
    }
}

#[test]
fn a_propagator_is_asked_at_both_ends() {
    let (hub, told) = (Hub::new(), Told::default());
    let _worker = member("worker", Fleet::hub(&hub).only_worker().propagate(told.clone()));
    let caller = member("caller", Fleet::hub(&hub).preferred().propagate(told.clone()));
    caller.block_on(async {
        USER.scope("Ada".to_owned(), carries_nothing()).await;
        carries_nothing().await;
    });
    let told = told.0.lock().expect("no panic");
    let user = HashMap::from([("User".to_owned(), "Ada".to_owned())]);
    assert_eq!(*told, [user, HashMap::new()]);
}

#[loom::compute(fleet, mode = "offload")]
async fn waits_for_ever(_n: u32) {
    pending::<()>().await;
}

#[loom::compute(fleet, mode = "offload")]
async fn sees_its_deadline(_n: u32) -> (String, bool) {
    let left = loom::deadline().map(|at| at.saturating_duration_since(Instant::now()));
    (place(), left.is_some_and(|left| left <= Duration::from_secs(20)))
}

#[test]
fn a_deadline_travels() {
    let hub = Hub::new();
    let _worker = member("worker", Fleet::hub(&hub).only_worker());
    let caller = member("caller", Fleet::hub(&hub).preferred());
    caller.block_on(async {
        let within = |time| Instant::now() + time;
        let soon = within(Duration::from_secs(20));
        let seen = loom::with_deadline(soon, sees_its_deadline(1)).await;
        assert_eq!(seen, Ok(("worker".to_owned(), true)));
        // Without one, the fleet's time limit is the worker's deadline.
        assert_eq!(sees_its_deadline(2).await, ("worker".to_owned(), false));
        // Whichever timer comes first, the error is that of the deadline, and the fleet stays open.
        for _ in 0..40 {
            let short =
                loom::with_deadline(within(Duration::from_millis(7)), waits_for_ever(6)).await;
            assert!(short.is_err());
            assert_eq!(sees_its_deadline(3).await.0, "worker");
        }
    });
}
