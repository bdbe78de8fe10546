//! `GET /loom`: what Loom has measured, as JSON or as a page.

use std::fmt::Write;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use loom::FunctionStats;
use serde::Serialize;

use crate::thumbnail;

#[derive(Serialize)]
struct Page {
    tokio_threads: usize,
    rayon_threads: usize,
    compute_tasks_in_flight: usize,
    thumbnails_stopped: u64,
    functions: Vec<Function>,
}

#[derive(Serialize)]
struct Function {
    name: &'static str,
    hint: String,
    calls: u64,
    inline: u64,
    offloaded: u64,
    inline_share: Option<f64>,
    panicked: u64,
    abandoned: u64,
    mean_us: Option<f64>,
    /// Where calls run now, and why.
    verdict: Option<String>,
    run_time_us: Quantiles,
}

#[derive(Serialize)]
struct Quantiles {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

pub(crate) async fn handler(headers: HeaderMap) -> Response {
    let Some(runtime) = loom::current_runtime() else {
        // The service's handlers run on its runtime, which outlives them.
        return Json(serde_json::Value::Null).into_response();
    };
    let page = Page {
        tokio_threads: runtime.tokio_threads(),
        rayon_threads: runtime.rayon_threads(),
        compute_tasks_in_flight: runtime.compute_tasks_in_flight(),
        thumbnails_stopped: thumbnail::stopped(),
        functions: runtime.functions().iter().map(Function::from).collect(),
    };
    if wants_html(&headers) {
        Html(page.to_html()).into_response()
    } else {
        Json(page).into_response()
    }
}

/// Browsers ask for `text/html`; programs rarely do.
fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

impl From<&FunctionStats> for Function {
    fn from(stats: &FunctionStats) -> Self {
        let quantile = |q| stats.run_times.quantile(q).map(micros);
        Self {
            name: stats.name,
            hint: format!("{:?}", stats.hint).to_lowercase(),
            calls: stats.calls(),
            inline: stats.inline,
            offloaded: stats.offloaded,
            inline_share: stats.inline_share(),
            panicked: stats.panicked,
            abandoned: stats.abandoned,
            mean_us: stats.mean.map(micros),
            verdict: stats.verdict.map(|verdict| verdict.to_string()),
            run_time_us: Quantiles {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                max: quantile(1.0),
            },
        }
    }
}

/// To a tenth of a microsecond.
fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

impl Page {
    fn to_html(&self) -> String {
        let mut rows = String::new();
        for f in &self.functions {
            let us = |us: Option<f64>| us.map_or_else(|| "–".to_owned(), |us| format!("{us:.1}"));
            let share = f.inline_share.map_or(0.0, |share| share * 100.0);
            let Function { name, hint, calls, panicked, abandoned, .. } = f;
            let Quantiles { p50, p90, p99, max } = &f.run_time_us;
            // Writing to a string does not fail.
            let _ = writeln!(
                rows,
                "<tr><th scope=row>{}</th><td>{hint}</td><td>{calls}</td><td>{share:.1} %</td>\
                 <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{panicked}</td><td>{abandoned}</td><td class=why>{}</td></tr>",
                escape(name),
                us(*p50),
                us(*p90),
                us(*p99),
                us(*max),
                f.verdict.as_deref().map(escape).unwrap_or_default(),
            );
        }
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Loom</title>\
             <meta name=viewport content='width=device-width'><meta http-equiv=refresh content=2>\
             <style>:root{{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}}\
             body{{margin:2rem auto;max-width:70rem;padding:0 1rem}}main{{overflow-x:auto}}\
             table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}\
             td,th{{padding:.3rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid #8884}}\
             th[scope=row],th:first-child,.why{{text-align:left}}</style>\
             <h1>Loom</h1><p>{} I/O workers, {} compute threads, {} compute calls in flight. \
             Run times in µs.</p><main><table><thead><tr><th>function</th><th>hint</th>\
             <th>calls</th><th>inline</th><th>p50</th><th>p90</th><th>p99</th><th>max</th>\
             <th>panicked</th><th>abandoned</th><th class=why>last verdict</th></tr></thead><tbody>\n{rows}</tbody></table></main></html>",
            self.tokio_threads, self.rayon_threads, self.compute_tasks_in_flight,
        )
    }
}

/// Names of closures contain braces and angle brackets.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
