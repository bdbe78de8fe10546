//! Members that are not as they should be: other builds, messages that nobody can read or that are too large.

use async_nats::{Client, HeaderMap, Message};
use futures_util::StreamExt;
use loom::fleet::{FleetError, attempt};

use super::members::{Worker, answered_by_others, counted, echoed, grown};
use super::server::Server;
use super::{caller, far, reaches_a_worker};

/// A worker of another build, which a test plays: it answers each call as `answer` says.
async fn plays_worker(
    client: Client,
    version: &str,
    answer: impl Fn(&Message) -> (HeaderMap, Vec<u8>) + Send + 'static,
) {
    let subject = format!("loom.test.call.{version}.answered%20by%20others");
    let mut calls =
        client.queue_subscribe(subject, "loom".to_owned()).await.expect("a subscription");
    has_reached_the_server(&client).await;
    tokio::spawn(async move {
        while let Some(call) = calls.next().await {
            let (headers, payload) = answer(&call);
            let inbox = call.reply.clone().expect("a call has an inbox");
            let sent = client.publish_with_headers(inbox, headers, payload.into()).await;
            sent.expect("it is connected");
        }
    });
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    of.iter().for_each(|(name, value)| headers.insert(*name, *value));
    headers
}

fn done() -> HeaderMap {
    headers(&[("Loom-Is", "done"), ("Loom-Ran", "10"), ("Loom-Waited", "0")])
}

async fn is_connected(server: &Server) -> Client {
    async_nats::connect(server.url()).await.expect("a connection")
}

/// Everything that the client has sent was seen by the server, which answers that nobody is there.
async fn has_reached_the_server(client: &Client) {
    let nobody = client.request("nobody", bytes::Bytes::new()).await;
    assert!(nobody.is_err());
}

/// Waits until calls of the fleet are possible at all.
async fn reaches(server: &Server) -> Worker {
    let worker = Worker::start(server, 8);
    reaches_a_worker().await;
    worker
}

#[test]
fn another_build_of_the_same_signature_is_understood() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        let _others = reaches(&server).await;
        plays_worker(is_connected(&server).await, "2", |call| {
            let (n,): (u32,) = rmp_serde::from_slice(&call.payload).expect("arguments");
            let result = rmp_serde::to_vec_named(&format!("there {n}")).expect("a result");
            (done(), result)
        })
        .await;
        // This program's worker gets calls, too.
        let mut places = [0; 2];
        while places.contains(&0) {
            match &*answered_by_others(7).await {
                "there 7" => places[0] += 1,
                "worker 7" => places[1] += 1,
                "here 7" => {}
                other => panic!("{other}"),
            }
        }
    });
}

#[test]
fn workers_of_another_version_get_no_call() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        let others = reaches(&server).await;
        drop(others);
        plays_worker(is_connected(&server).await, "1", |_| panic!("it is of version 1")).await;
        assert_eq!(answered_by_others(1).await, "here 1");
    });
}

#[test]
fn a_result_that_cannot_be_read_is_an_error() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        drop(reaches(&server).await);
        plays_worker(is_connected(&server).await, "2", |_| (done(), vec![0xc1])).await;
        let error = attempt(answered_by_others(1)).await.expect_err("it cannot be read");
        let text = error.to_string();
        assert!(
            matches!(error, FleetError::Lost { .. }) && text.contains("cannot be read"),
            "{text}"
        );
        // Nothing goes there for a while.
        assert_eq!(answered_by_others(2).await, "here 2");
    });
}

#[test]
fn an_answer_of_another_kind_is_no_answer() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        drop(reaches(&server).await);
        plays_worker(is_connected(&server).await, "2", |_| {
            (headers(&[("Loom-Is", "sold out")]), Vec::new())
        })
        .await;
        let error = attempt(answered_by_others(1)).await.expect_err("nobody answers");
        assert!(error.to_string().contains("nobody has answered for 500ms"), "{error}");
    });
}

/// What a worker says to a call that a test makes up.
async fn answer(client: &Client, subject: &str, headers: HeaderMap, payload: &[u8]) -> String {
    let payload = payload.to_vec().into();
    let answer = client.request_with_headers(subject.to_owned(), headers, payload).await;
    let answer = answer.expect("an answer");
    let is = answer.headers.expect("headers").get("Loom-Is").expect("it says").to_string();
    format!("{is}: {}", String::from_utf8_lossy(&answer.payload))
}

#[test]
fn calls_that_cannot_be_read_are_refused() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        let _worker = reaches(&server).await;
        let client = is_connected(&server).await;
        let function = loom::fleet::functions().find(|it| it.name().ends_with("echoed"));
        let function = function.expect("it is in this program");
        let subject = format!("loom.test.call.1.{}", function.name());
        let right = format!("{:016x}", function.fingerprint());
        let of = |signature: &str| headers(&[("Loom-Signature", signature), ("Loom-Left", "1000")]);
        let good = rmp_serde::to_vec_named(&("text",)).expect("arguments");
        let said = answer(&client, &subject, of(&right), &good).await;
        assert!(said.starts_with("done: "), "{said}");
        for corrupt in
            [&[][..], &[0xc1], &[0x91, 0xd9, 0xff], &good[..3], &[&good[..], &[0]].concat()]
        {
            let said = answer(&client, &subject, of(&right), corrupt).await;
            assert!(said.starts_with("skew: "), "{said}");
        }
        let said = answer(&client, &subject, of("0123456789abcdef"), &good).await;
        assert_eq!(said, "skew: `nats::members::echoed` has other types here");
        let said = answer(&client, &subject, headers(&[("Loom-Left", "1000")]), &good).await;
        assert!(said.starts_with("skew: it is no call"), "{said}");
        let late = headers(&[("Loom-Signature", &right), ("Loom-Left", "0")]);
        let said = answer(&client, &subject, late, &good).await;
        assert!(said.starts_with("expired: ") || said.starts_with("done: "), "{said}");
    });
}

/// Reading arguments is the program's code, and so is what the attribute computes of them.
#[test]
fn a_panic_before_the_function_begins_is_told() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        let _worker = reaches(&server).await;
        assert_eq!(counted(vec!["one".to_owned()]).await, 1);
        let client = is_connected(&server).await;
        let function = loom::fleet::functions().find(|it| it.name().ends_with("counted"));
        let function = function.expect("it is in this program");
        let subject = format!("loom.test.call.1.{}", function.name());
        let signature = format!("{:016x}", function.fingerprint());
        let headers = || headers(&[("Loom-Signature", &*signature), ("Loom-Left", "1000")]);
        let none = rmp_serde::to_vec_named(&(Vec::<String>::new(),)).expect("arguments");
        // More often than the worker has places: none is kept.
        for _ in 0..20 {
            let said = answer(&client, &subject, headers(), &none).await;
            assert!(said.starts_with("panicked: index out of bounds"), "{said}");
        }
    });
}

#[test]
fn what_is_too_large_stays_or_is_told() {
    let server = Server::with_messages_of(64 << 10);
    let caller = caller(&server);
    caller.block_on(async {
        let _worker = reaches(&server).await;
        let large = "x".repeat(70_000);
        assert_eq!(echoed(large.clone()).await, large);
        let seen = far(&caller, "echoed");
        assert_eq!((seen.refused, seen.returned), (1, 0), "the arguments stay here");
        assert_eq!(grown(1, 60_000).await.len(), 60_000);
        let error = attempt(grown(1, 70_000)).await.expect_err("the result is too large");
        let text = error.to_string();
        assert!(text.contains("its result was not sent") && text.contains("62464"), "{text}");
    });
}

#[test]
fn a_slow_consumer_loses_no_more_than_its_own_calls() {
    let server = Server::start();
    let caller = caller(&server);
    caller.block_on(async {
        let _worker = reaches(&server).await;
        let client = is_connected(&server).await;
        // It takes calls, and answers none.
        let subject = "loom.test.call.2.answered%20by%20others";
        let calls =
            client.queue_subscribe(subject, "loom".to_owned()).await.expect("a subscription");
        has_reached_the_server(&client).await;
        let mut lost = 0;
        while lost == 0 {
            match attempt(answered_by_others(1)).await {
                Ok(result) => assert!(["here 1", "worker 1"].contains(&&*result), "{result}"),
                Err(FleetError::Lost { .. }) => lost += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(echoed("others".to_owned()).await, "others");
        drop(calls);
    });
}
