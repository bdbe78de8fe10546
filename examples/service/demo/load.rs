//! The demo's load: a steady stream of real input for each route.
//!
//! Open loop: requests are sent when they are due, whether or not earlier ones have been
//! answered, and their latency counts from when they were due. A delay of the service is
//! therefore visible.
//! The load comes from threads of this process, so it competes with what it measures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::runtime::Handle;

type HttpClient = Client<HttpConnector, Full<Bytes>>;

const PASSWORD: &str = "correct horse battery staple";
const DOCUMENTS: &[&str] = &[
    include_str!("../../../README.md"),
    include_str!("../../../ARCHITECTURE.md"),
    include_str!("../../../CONTRIBUTING.md"),
    include_str!("../../../loom-runtime/src/scheduler/README.md"),
    include_str!("../../../loom-runtime/src/bridge/README.md"),
];
const IMAGES: &[&[u8]] = &[
    include_bytes!("../data/astronaut.png"),
    include_bytes!("../data/chelsea.png"),
    include_bytes!("../data/rocket.jpg"),
    include_bytes!("../data/hubble_deep_field.jpg"),
];

/// One kind of request, how often it is sent, and what a right answer looks like.
struct Stream {
    route: &'static str,
    per_second: u32,
    method: Method,
    uri: &'static str,
    content_type: &'static str,
    bodies: Vec<Bytes>,
    is_right: fn(&[u8]) -> bool,
}

fn streams(hash: &str) -> Vec<Stream> {
    let post = |route, per_second, uri, content_type, bodies, is_right| Stream {
        route,
        per_second,
        method: Method::POST,
        uri,
        content_type,
        bodies,
        is_right,
    };
    let json_body = |value: Value| vec![Bytes::from(value.to_string())];
    vec![
        Stream {
            route: "GET /health",
            per_second: 200,
            method: Method::GET,
            uri: "/health",
            content_type: "text/plain",
            bodies: vec![Bytes::new()],
            is_right: |answer| answer == b"ok",
        },
        post(
            "POST /markdown",
            100,
            "/markdown",
            "text/markdown",
            DOCUMENTS.iter().map(|text| Bytes::from_static(text.as_bytes())).collect(),
            |answer| answer.starts_with(b"<h1>"),
        ),
        post(
            "POST /thumbnail",
            20,
            "/thumbnail?width=160",
            "application/octet-stream",
            IMAGES.iter().map(|image| Bytes::from_static(image)).collect(),
            |answer| answer.starts_with(b"\xff\xd8\xff"),
        ),
        post(
            "POST /password/hash",
            5,
            "/password/hash",
            "application/json",
            json_body(json!({ "password": PASSWORD })),
            |answer| answer.starts_with(br#"{"hash":"$argon2id$"#),
        ),
        post(
            "POST /password/verify",
            5,
            "/password/verify",
            "application/json",
            json_body(json!({ "password": PASSWORD, "hash": hash })),
            |answer| answer == br#"{"valid":true}"#,
        ),
    ]
}

/// The results of one stream.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) latencies: Vec<Duration>,
    /// Requests that were turned away with 503, as a service sheds load: no failure.
    pub(super) turned_away: u32,
    pub(super) failures: BTreeMap<String, u32>,
}

/// What one run of the load has shown, by route.
pub(super) struct Load {
    pub(super) routes: Vec<(&'static str, Answers)>,
    /// Until the last answer.
    pub(super) took: Duration,
    /// The most memory that the process had while it ran, in bytes, where the system tells.
    pub(super) memory: Option<u64>,
}

/// Sends the load for so long, and awaits the answers. `name` stands in the lines of progress.
pub(super) fn run(addr: SocketAddr, length: Duration, name: &str) -> Result<Load, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("demo-client")
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the demo's client: {error}"))?;
    let client: HttpClient = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let hash = runtime.block_on(first_hash(&client, addr))?;
    let streams = streams(&hash);
    let answers: Vec<_> =
        streams.iter().map(|_| Arc::new(Mutex::new(Answers::default()))).collect();

    let schedule = schedule(&streams, length);
    let total = schedule.len();
    let start = Instant::now();
    let mut tick = Duration::from_secs(1);
    let mut memory = resident();
    let mut pending = Vec::with_capacity(total);
    for (sent, (offset, stream, n)) in schedule.into_iter().enumerate() {
        if offset >= tick {
            let _ = writeln!(
                io::stderr(),
                "{name}: {} of {} s, {sent} of {total} requests sent",
                tick.as_secs(),
                length.as_secs()
            );
            tick += Duration::from_secs(1);
            memory = memory.max(resident());
        }
        // This thread sets the pace; a timer of the client's runtime could be a millisecond late.
        thread::sleep((start + offset).saturating_duration_since(Instant::now()));
        let request = request(addr, &streams[stream], n)?;
        let exchange = Exchange {
            client: client.clone(),
            due: start + offset,
            is_right: streams[stream].is_right,
            answers: Arc::clone(&answers[stream]),
        };
        pending.push(spawn(runtime.handle(), exchange, request));
    }
    memory = memory.max(resident());
    let _ = writeln!(io::stderr(), "{name}: waiting for the last answers");
    runtime.block_on(async {
        for exchange in pending {
            exchange.await.map_err(|error| format!("a request of the demo broke off: {error}"))?;
        }
        Ok::<_, String>(())
    })?;
    // With the wait for the last answers: a service that falls behind answers fewer a second.
    let took = start.elapsed();
    let take = |answers: &Arc<Mutex<Answers>>| {
        std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner))
    };
    let routes = streams.iter().map(|stream| stream.route).zip(answers.iter().map(take)).collect();
    Ok(Load { routes, took, memory })
}

/// The memory that the process has now, in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Each request: when it is due, its stream, and its index in that stream.
fn schedule(streams: &[Stream], length: Duration) -> Vec<(Duration, usize, usize)> {
    let mut schedule = Vec::new();
    for (i, stream) in streams.iter().enumerate() {
        let period = Duration::from_secs(1) / stream.per_second;
        // Each stream has another phase, so that requests do not all arrive at once.
        let phase = period * u32::try_from(i).unwrap_or(0) / 11;
        let due = (0..).map(|n: u32| phase + period * n).take_while(|due| *due < length);
        schedule.extend(due.enumerate().map(|(n, due)| (due, i, n)));
    }
    schedule.sort_unstable();
    schedule
}

fn request(addr: SocketAddr, stream: &Stream, n: usize) -> Result<Request<Full<Bytes>>, String> {
    Request::builder()
        .method(stream.method.clone())
        .uri(format!("http://{addr}{}", stream.uri))
        .header("content-type", stream.content_type)
        .body(Full::new(stream.bodies[n % stream.bodies.len()].clone()))
        .map_err(|error| format!("the demo's request is wrong: {error}"))
}

struct Exchange {
    client: HttpClient,
    due: Instant,
    is_right: fn(&[u8]) -> bool,
    answers: Arc<Mutex<Answers>>,
}

fn spawn(
    handle: &Handle,
    exchange: Exchange,
    request: Request<Full<Bytes>>,
) -> tokio::task::JoinHandle<()> {
    handle.spawn(async move {
        let result = ask(&exchange.client, request).await;
        let latency = exchange.due.elapsed();
        let mut answers = exchange.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = match result {
            Ok((StatusCode::OK, answer)) if (exchange.is_right)(&answer) => {
                answers.latencies.push(latency);
                return;
            }
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => {
                answers.turned_away += 1;
                return;
            }
            Ok((StatusCode::OK, _)) => "wrong answer".to_owned(),
            Ok((status, _)) => status.to_string(),
            Err(error) => error,
        };
        *answers.failures.entry(failure).or_default() += 1;
    })
}

async fn ask(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

/// A hash that the verify stream uses.
async fn first_hash(client: &HttpClient, addr: SocketAddr) -> Result<String, String> {
    // Nothing else asks for anything, so a service that turns this away takes it soon.
    const TRIES: usize = 100;
    let mut tries = 0;
    let (status, answer) = loop {
        tries += 1;
        let request = Request::post(format!("http://{addr}/password/hash"))
            .header("content-type", "application/json")
            .body(Full::from(json!({ "password": PASSWORD }).to_string()))
            .map_err(|error| error.to_string())?;
        let (status, answer) = ask(client, request).await?;
        if status != StatusCode::SERVICE_UNAVAILABLE || tries == TRIES {
            break (status, answer);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    match answer["hash"].as_str() {
        Some(hash) => Ok(hash.to_owned()),
        None => Err(format!("the service answered {status} to the demo's first request: {answer}")),
    }
}
