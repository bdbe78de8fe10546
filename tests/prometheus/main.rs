//! The dashboard for Grafana: a Prometheus server that scrapes a program answers each of its queries.
//!
//! Not among the default tests, since it needs `prometheus`; `.ci/run page` installs it.

mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use loom::tower::LoadShedLayer;
use loom::{LoomBuilder, LoomRuntime};
use prometheus::{Registry, TextEncoder};
use serde_json::Value;
use server::Prometheus;

#[loom::compute(mode = "offload")]
fn sum(n: u64) -> u64 {
    (0..n).fold(0, |sum, n| std::hint::black_box(sum ^ n))
}

#[loom::compute(mode = "inline")]
fn digest(n: u64) -> u64 {
    std::hint::black_box(n) + 1
}

/// A program that serves its metrics, and calls its functions.
fn program() -> (LoomRuntime, SocketAddr) {
    let registry = Registry::new();
    let runtime = LoomBuilder::new()
        .tokio_threads(1)
        .rayon_threads(1)
        .prometheus_registry(registry.clone())
        .build()
        .expect("it starts");
    let metrics = move || async move {
        TextEncoder::new().encode_to_string(&registry.gather()).expect("they are text")
    };
    let shed = LoadShedLayer::new(Duration::from_secs(1));
    let router = Router::new()
        .route("/sum", post(|| async { sum(1000).await.to_string() }).layer(shed))
        .route("/metrics", get(metrics));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("loopback has a port");
    let addr = listener.local_addr().expect("it is bound");
    runtime.tokio_handle().spawn(async { axum::serve(listener, router).await });
    runtime.tokio_handle().spawn(async {
        let began = Instant::now();
        let busy = async { while began.elapsed() < Duration::from_millis(30) {} };
        loom::observe("a busy loop", busy).await;
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        loop {
            pause.tick().await;
            digest(sum(100_000).await).await;
        }
    });
    (runtime, addr)
}

/// The queries of the dashboard, by the titles of their panels, as Grafana sends them.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(include_str!("../../docs/grafana.json")).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut queries = Vec::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().expect("a query is text");
            let expr = expr.replace("$instance", ".*").replace("$__rate_interval", "2s");
            queries.push((panel["title"].to_string(), expr));
        }
    }
    assert!(queries.len() > 20, "{queries:#?}");
    queries
}

#[test]
fn prometheus_answers_each_query_of_the_dashboard() {
    let (runtime, addr) = program();
    let prometheus = Prometheus::scraping(addr);
    let mut unanswered = queries();
    let mut answers = Vec::new();
    let began = Instant::now();
    runtime.block_on(async {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        while !unanswered.is_empty() {
            pause.tick().await;
            unanswered.retain(|(title, query)| match prometheus.query(query) {
                Some(Ok(series)) if series.is_empty() => true,
                Some(Ok(series)) => {
                    answers.push((title.clone(), series));
                    false
                }
                Some(Err(error)) => panic!("{title}: {query}: {error}"),
                None => true,
            });
            assert!(began.elapsed() < Duration::from_secs(60), "no answer to {unanswered:#?}");
        }
    });
    let names = |title: &str, label: &str| {
        let title = format!("{title:?}");
        let of = answers.iter().filter(|(panel, _)| *panel == title);
        of.flat_map(|(_, series)| series)
            .filter_map(|series| series["metric"][label].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let by_arm = names("Calls by function and arm", "function");
    for function in ["prometheus::sum", "prometheus::digest"] {
        assert!(by_arm.iter().any(|name| name == function), "{by_arm:?}");
    }
    let slow = names("Slow polls", "place");
    assert!(slow.iter().any(|place| place.starts_with("`a busy loop`")), "{slow:?}");
}
