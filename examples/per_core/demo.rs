//! The example's own load.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The number of clients, each with its own connection, and of rounds that each asks for.
const CLIENTS: usize = 32;
const ROUNDS: usize = 20;

/// Runs the load, and reports how often each core answered.
pub(crate) async fn run(addr: SocketAddr, cores: usize) -> Result<String, String> {
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(addr))).collect();
    let mut answers = BTreeMap::<u64, usize>::new();
    for client in clients {
        let core = client.await.map_err(|error| error.to_string())??;
        *answers.entry(core).or_default() += 1;
    }
    let lines: Vec<String> = (0..cores as u64)
        .map(|core| {
            let clients = answers.get(&core).copied().unwrap_or_default();
            format!("core {core}: {clients} of {CLIENTS} clients")
        })
        .collect();
    Ok(lines.join("\n"))
}

/// Sends requests over one connection, which stays with one core, and returns that core.
async fn client(addr: SocketAddr) -> Result<u64, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let ask = |method: &str, path: &str, body: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{addr}{path}"))
            .header("content-type", "text/markdown")
            .body(Full::new(Bytes::from_static(body.as_bytes())));
        let client = client.clone();
        let path = path.to_owned();
        async move {
            let request = request.map_err(|error| error.to_string())?;
            let answer = client.request(request).await.map_err(|error| error.to_string())?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            if parts.status != StatusCode::OK {
                return Err(format!("`{path}` answered {}", parts.status));
            }
            Ok(body)
        }
    };
    let mut seen = None;
    for _ in 0..ROUNDS {
        ask("GET", "/health", "").await?;
        // Loom decides where this computes.
        ask("POST", "/markdown", "# A page\n\nwith *text*.").await?;
        let about: Value = serde_json::from_slice(&ask("GET", "/core", "").await?)
            .map_err(|error| error.to_string())?;
        let core = about["core"].as_u64().ok_or("no core answered")?;
        if seen.replace(core).is_some_and(|before| before != core) {
            return Err("a connection changed its core".to_owned());
        }
    }
    seen.ok_or_else(|| "nothing was asked".to_owned())
}
