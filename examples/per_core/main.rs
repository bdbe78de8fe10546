//! The routes of the example service, with one thread per core.
//!
//! Each local core has its own listening socket on the same port (`SO_REUSEPORT`), accepts
//! connections and answers their requests. Fast requests never leave the core, and use state that
//! belongs to the core. Computation that would delay the core goes to the compute pool, as in the
//! service. `--demo` sends requests to itself, and prints how often each core answered.

#[path = "../service/body.rs"]
mod body;
#[path = "../service/call.rs"]
mod call;
mod demo;
#[path = "../service/drill.rs"]
mod drill;
#[path = "../service/markdown.rs"]
mod markdown;
#[path = "../service/password.rs"]
mod password;
#[path = "../service/refusal.rs"]
mod refusal;
#[path = "../service/routes.rs"]
mod routes;
mod serve;
#[path = "../service/thumbnail.rs"]
mod thumbnail;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use clap::Parser;
use loom::local::CoreState;
use serde_json::{Value, json};

/// How long a request's computation may wait for a thread.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The example service, with a thread a core.
#[derive(Debug, Parser)]
#[command(name = "per_core")]
struct Args {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8080, with --demo
    /// 127.0.0.1:0].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// Ask itself for a while, tell which core answered, and end.
    #[arg(long)]
    demo: bool,
}

/// The state of each core.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    requests: u64,
}

#[loom::main(prefix = "per-core", local_cores = 2, tokio_threads = 1, shutdown_timeout = "10s")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let runtime = loom::current_runtime().ok_or("it runs below `#[loom::main]`")?;
    let port = if args.demo { 0 } else { 8080 };
    let listen = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    let served = CoreState::new(|_core| Served::default());
    // Cancelled by Ctrl-C and SIGTERM.
    let caught = runtime.shutdown_signal();
    let stop = caught.map_err(|error| format!("cannot catch signals: {error}"))?;

    // The first core picks a port if `listen` allows it, and the others share it.
    let (mut addr, mut cores) = (listen, Vec::new());
    for index in 0..runtime.local_cores() {
        let (router, stop) = (router(served.clone()), stop.clone());
        let core = runtime.local(index);
        let listener = core.spawn_with(move || async move {
            let listener = serve::listen(addr)?;
            let addr = listener.local_addr()?;
            Ok::<_, io::Error>((addr, loom::local::spawn(serve::serve(listener, router, stop))))
        });
        let cannot = |error: &dyn std::fmt::Display| {
            format!("cannot listen on {addr}: {error}; give another address with --listen ADDR")
        };
        let (at, serving) = match listener.await {
            Ok(Ok(serving)) => serving,
            Ok(Err(error)) => return Err(cannot(&error)),
            Err(error) => return Err(cannot(&error)),
        };
        addr = at;
        cores.push(serving);
    }
    let _ = writeln!(io::stdout(), "listening on http://{addr}");

    if args.demo {
        let report = demo::run(addr, runtime.local_cores()).await;
        stop.cancel();
        let _ = writeln!(io::stdout(), "{}", report?);
    }
    for core in cores {
        core.await.map_err(|error| format!("a core failed: {error}"))?;
    }
    Ok(())
}

/// The service's routes, and one that describes the core that answers it.
fn router(served: CoreState<Served>) -> Router {
    let counting = served.clone();
    routes::router(false, false, LONGEST_WAIT, None)
        .route("/core", get(move || std::future::ready(about(&served))))
        .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
            // This runs on the core that read the request, so the count needs no lock.
            let _ = counting.with(|served| served.requests += 1);
            async move { request }
        }))
}

fn about(served: &CoreState<Served>) -> Json<Value> {
    let core = loom::local::current().map(|core| core.id().index());
    let served = served.with(|served| *served).unwrap_or_default();
    Json(json!({ "core": core, "requests": served.requests }))
}
