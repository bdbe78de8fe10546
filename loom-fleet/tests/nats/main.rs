//! A fleet over a NATS server, whose program `LOOM_NATS_SERVER` names; `.ci/run fleet` gets one.

mod chaos;
mod members;
mod misfits;
mod server;

use std::time::Duration;

use loom::fleet::{FarStats, FleetError, attempt};
use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use loom_fleet::Fleet;

use members::{Worker, echoed, held, is_on_worker, squared};
use server::Server;

fn builder() -> LoomBuilder {
    let builder = LoomBuilder::new().tokio_threads(1).rayon_threads(1);
    builder.compute_priority(ComputePriority::Normal)
}

/// The settings of all members; half a second of silence is a loss.
fn fleet(server: &Server) -> Fleet {
    Fleet::nats(server.url()).name("test").lost_after(Duration::from_millis(500))
}

/// A runtime whose calls go to the fleet wherever it takes them.
fn caller(server: &Server) -> LoomRuntime {
    builder().prefix("caller").fleet(fleet(server).preferred()).build().expect("a caller")
}

fn far(runtime: &LoomRuntime, name: &str) -> FarStats {
    let functions = runtime.functions();
    let found = functions.into_iter().find(|function| function.name.ends_with(name));
    found.unwrap_or_else(|| panic!("`{name}` was called")).far
}

/// Calls until a call has run on a worker, which has to be found first.
async fn reaches_a_worker() {
    while !is_on_worker().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn calls_go_to_a_worker_and_back() {
    let server = Server::start();
    let (_worker, caller) = (Worker::start(&server, 8), caller(&server));
    caller.block_on(async {
        reaches_a_worker().await;
        assert_eq!(squared(12).await, 144);
        let text = "ü".repeat(1000);
        assert_eq!(echoed(text.clone()).await, text);
        let panicked = attempt(members::fails("ink".to_owned())).await;
        assert_eq!(panicked, Err(FleetError::Panicked("out of ink".to_owned())));
    });
    assert_eq!(far(&caller, "squared").returned, 1);
}

#[test]
fn a_server_that_is_away_is_waited_for_while_calls_run_here() {
    let mut server = Server::reserve();
    let caller = caller(&server);
    caller.block_on(async {
        assert_eq!(squared(3).await, 9);
        assert!(!is_on_worker().await);
        server.begin();
        let worker = Worker::start(&server, 8);
        reaches_a_worker().await;
        server.end();
        for n in 0..20 {
            // Some are lost with the server, and run again.
            assert_eq!(squared(n).await, n * n);
        }
        server.begin();
        reaches_a_worker().await;
        drop(worker);
    });
}

/// A member that is caller and worker, and alone.
#[test]
fn a_member_sends_no_call_to_itself() {
    let server = Server::start();
    let member = builder().fleet(fleet(&server).worker().preferred()).build().expect("a member");
    member.block_on(async {
        let other = Worker::start(&server, 8);
        reaches_a_worker().await;
        drop(other);
        for n in 0..50 {
            assert_eq!(squared(n).await, n * n);
        }
    });
    let seen = far(&member, "squared");
    assert_eq!((seen.returned, seen.lost), (0, 0), "nobody else is there: {seen:?}");
}

/// Nothing keeps a worker that has nothing to do, and neither does a server that is away.
#[test]
fn an_idle_worker_ends_at_once() {
    for is_there in [true, false] {
        let mut server = Server::reserve();
        if is_there {
            server.begin();
        }
        let worker = builder().fleet(fleet(&server).only_worker()).build().expect("a worker");
        let left = worker.shutdown_timeout(Duration::from_secs(30));
        assert!(left.is_nothing(), "{left}");
    }
}

#[test]
fn a_worker_that_is_killed_loses_its_calls() {
    let server = Server::start();
    let (worker, caller) = (Worker::start(&server, 8), caller(&server));
    caller.block_on(async {
        reaches_a_worker().await;
        let lost = loom::spawn_async(attempt(held("plain".to_owned())));
        worker.has_begun("plain").await;
        drop(worker);
        let error = lost.await.expect("no panic").expect_err("it is lost");
        assert!(matches!(error, FleetError::Lost { .. }), "{error}");
    });
}

#[test]
fn a_call_that_nobody_wants_is_dropped_there() {
    let server = Server::start();
    let (worker, caller) = (Worker::start(&server, 8), caller(&server));
    caller.block_on(async {
        reaches_a_worker().await;
        let call = loom::spawn_async(held("unwanted".to_owned()));
        worker.has_begun("unwanted").await;
        call.abort();
        worker.has_dropped("unwanted").await;
    });
}

#[test]
fn a_full_worker_says_so_and_one_that_is_silent_for_long_is_alive() {
    let server = Server::start();
    let (worker, caller) = (Worker::start(&server, 1), caller(&server));
    caller.block_on(async {
        reaches_a_worker().await;
        let call = loom::spawn_async(held("long".to_owned()));
        worker.has_begun("long").await;
        assert!(!is_on_worker().await);
        // Three times as long as a silence may be; signs of life arrive meanwhile.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!call.is_finished());
        call.abort();
        worker.has_dropped("long").await;
    });
    assert_eq!(far(&caller, "held").lost, 0);
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_has() {
    let server = Server::start();
    let (mut worker, caller) = (Worker::start(&server, 8), caller(&server));
    caller.block_on(async {
        reaches_a_worker().await;
        let call = loom::spawn_async(members::held_until_told("ends".to_owned()));
        worker.has_begun("ends").await;
        worker.tell("stop");
        // It takes no more; a call that is on its way in this moment may be lost (F5).
        while attempt(is_on_worker()).await == Ok(true) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker.tell("go on");
        assert_eq!(call.await.expect("no panic"), "ends on a worker");
        worker.has_ended();
    });
}
