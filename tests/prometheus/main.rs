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
            let title = panel["title"].as_str().expect("a panel has a title");
            queries.push((title.to_owned(), expr));
        }
    }
    assert!(queries.len() > 20, "{queries:#?}");
    queries
}

/// What a panel names at least: a label, and the beginnings of its values.
fn named(title: &str) -> (&'static str, &'static [&'static str]) {
    match title {
        "Calls by function and arm" => ("function", &["prometheus::sum", "prometheus::digest"]),
        "Slow polls" => ("place", &["`a busy loop`"]),
        _ => ("", &[]),
    }
}

/// Whether the program has been seen long enough: some series came, and all names.
fn is_answered(title: &str, series: &[Value]) -> bool {
    let (label, names) = named(title);
    let has = |name: &&str| {
        let mut values = series.iter().filter_map(|series| series["metric"][label].as_str());
        values.any(|value| value.starts_with(*name))
    };
    !series.is_empty() && names.iter().all(|name| has(name))
}

#[test]
fn prometheus_answers_each_query_of_the_dashboard() {
    let (runtime, addr) = program();
    let mut prometheus = Prometheus::scraping(addr);
    let mut unanswered = queries();
    let began = Instant::now();
    runtime.block_on(async {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        while !unanswered.is_empty() {
            pause.tick().await;
            prometheus.assert_it_runs();
            unanswered.retain(|(title, query)| match prometheus.query(query) {
                Some(Ok(series)) => !is_answered(title, &series),
                Some(Err(error)) => panic!("{title}: {query}: {error}"),
                None => true,
            });
            assert!(began.elapsed() < Duration::from_secs(60), "no answer to {unanswered:#?}");
        }
    });
}
