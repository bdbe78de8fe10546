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

/// Runs the load, and reports how often each core answered, and how many requests were turned away.
pub(crate) async fn run(addr: SocketAddr, cores: usize) -> Result<String, String> {
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(addr))).collect();
    let mut answers = BTreeMap::<u64, usize>::new();
    let mut all_turned_away = 0;
    for client in clients {
        let (core, turned_away) = client.await.map_err(|error| error.to_string())??;
        *answers.entry(core).or_default() += 1;
        all_turned_away += turned_away;
    }
    let mut lines: Vec<String> = (0..cores as u64)
        .map(|core| {
            let clients = answers.get(&core).copied().unwrap_or_default();
            format!("core {core}: {clients} of {CLIENTS} clients")
        })
        .collect();
    if all_turned_away > 0 {
        lines.push(format!("{all_turned_away} requests were turned away: the machine is busy"));
    }
    Ok(lines.join("\n"))
}

/// Sends requests over one connection, which stays with one core. Returns that core, and how many requests
/// were turned away.
async fn client(addr: SocketAddr) -> Result<(u64, usize), String> {
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
            match parts.status {
                StatusCode::OK => Ok(Some(body)),
                StatusCode::SERVICE_UNAVAILABLE => Ok(None),
                status => Err(format!("`{path}` answered {status}")),
            }
        }
    };
    let (mut seen, mut turned_away) = (None, 0);
    for _ in 0..ROUNDS {
        ask("GET", "/health", "").await?;
        // Loom decides where this computes.
        let page = ask("POST", "/markdown", "# A page\n\nwith *text*.").await?;
        turned_away += usize::from(page.is_none());
        let about = ask("GET", "/core", "").await?.ok_or("`/core` was turned away")?;
        let about: Value = serde_json::from_slice(&about).map_err(|error| error.to_string())?;
        let core = about["core"].as_u64().ok_or("no core answered")?;
        if seen.replace(core).is_some_and(|before| before != core) {
            return Err("a connection changed its core".to_owned());
        }
    }
    let core = seen.ok_or("nothing was asked")?;
    Ok((core, turned_away))
}
