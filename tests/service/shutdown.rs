//! A signal: started requests are finished, new ones are not accepted, and the exit code is 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Service;

/// Waits until `n` compute calls are running or queued.
async fn until_in_flight(service: &Service, n: u64) {
    while service.get("/loom/data").await.json()["compute"]["in_flight"].as_u64() < Some(n) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_idle_service_ends_on_either_signal() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut service = Service::start();
        service.signal(signal);
        let (status, rest) = service.wait();
        assert_eq!((status.code(), &*rest), (Some(0), ""));
    }
}

#[tokio::test]
async fn requests_under_way_are_finished() {
    // More requests than two compute threads can finish before the signal.
    const REQUESTS: u64 = 24;
    let mut service = Service::start();
    let body = json!({ "password": "x" }).to_string();
    let request = format!(
        "POST /password/hash HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut connections = Vec::new();
    for _ in 0..REQUESTS {
        let mut connection = TcpStream::connect(service.addr).await.expect("the service listens");
        connection.write_all(request.as_bytes()).await.expect("the service reads");
        connections.push(connection);
    }
    until_in_flight(&service, REQUESTS / 2).await;
    service.signal(libc::SIGTERM);
    for mut connection in connections {
        let mut answer = String::new();
        // Reads to the end, since the service closes each connection after its answer.
        connection.read_to_string(&mut answer).await.expect("the answer is whole");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("$argon2id$") && answer.ends_with("\"}"), "{answer}");
    }
    let (status, _) = service.wait();
    assert_eq!(status.code(), Some(0));
    assert!(TcpStream::connect(service.addr).await.is_err(), "nobody listens any more");
}

/// Each client sends one request after another on a kept-alive connection. After the signal, the
/// only error that a client may see is a refused connection.
#[tokio::test]
async fn no_started_request_is_lost_under_load() {
    let service = Arc::new(Service::start());
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|i| {
            let (service, ended) = (Arc::clone(&service), Arc::clone(&ended));
            tokio::spawn(async move {
                let text = "*load* ".repeat(1 << i);
                let headers = [("content-type", "text/markdown")];
                let mut answered = 0_u32;
                loop {
                    let body = Bytes::from(text.clone());
                    match service.try_ask(Method::POST, "/markdown", &headers, body).await {
                        Ok(answer) => {
                            assert_eq!(answer.status, StatusCode::OK);
                            answered += 1;
                        }
                        Err(error) if error.is_connect() => {
                            assert!(ended.load(Ordering::Relaxed), "only after the signal");
                            return answered;
                        }
                        Err(error) => panic!("a request was lost after {answered}: {error:?}"),
                    }
                }
            })
        })
        .collect();
    // Waits until the load is under way.
    while service.function("markdown::render").await["returned"].as_u64() < Some(500) {
        tokio::task::yield_now().await;
    }
    ended.store(true, Ordering::Relaxed);
    service.signal(libc::SIGTERM);
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("no request is lost");
    }
    assert!(answered >= 500, "{answered}");
    let mut service = Arc::into_inner(service).expect("the clients are done");
    let (status, _) = service.wait();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let mut service = Service::start();
    let mut idle = TcpStream::connect(service.addr).await.expect("the service listens");
    service.get("/health").await;
    service.signal(libc::SIGTERM);
    let (status, _) = service.wait();
    assert_eq!(status.code(), Some(0));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("it is closed in order");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_is_cut_off() {
    let mut service = Service::start_with(&["--drain-seconds", "1"]);
    let mut slow = TcpStream::connect(service.addr).await.expect("the service listens");
    let start = b"POST /markdown HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n# To be";
    slow.write_all(start).await.expect("the service reads");
    service.get("/health").await;
    service.signal(libc::SIGTERM);
    let (status, _) = service.wait();
    assert_eq!(status.code(), Some(1), "something was lost, and the code says so");
}
