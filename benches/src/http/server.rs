//! The service under load: a fast route, and routes that compute on a contender.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use loom::ComputeHint;
use tokio::net::{TcpListener, TcpStream};

use crate::contenders::{Contender, Visit, make};

#[derive(clap::Args)]
pub(crate) struct ServerOptions {
    #[arg(long)]
    contender: String,
    /// How many steps of the work fill a microsecond.
    #[arg(long)]
    steps: u64,
}

/// Serves until standard input ends, on a port that it prints.
pub(crate) fn serve(options: &ServerOptions) -> Result<(), Box<dyn Error>> {
    let unknown = || format!("no contender is called `{}`", options.contender);
    make(&options.contender, Serve(options.steps)).ok_or_else(unknown)?
}

struct Serve(u64);

impl Visit for Serve {
    type Output = Result<(), Box<dyn Error>>;

    fn visit<C: Contender>(self, contender: C) -> Self::Output {
        run(contender, self.0)
    }
}

fn run<C: Contender>(contender: C, steps: u64) -> Result<(), Box<dyn Error>> {
    let tokio = contender.tokio();
    let listener = tokio.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    tokio.spawn(accept(listener, Arc::new(contender), steps));
    // The parent closes the other end when it has measured, or when it ends.
    io::stdin().read_to_end(&mut Vec::new())?;
    std::process::exit(0);
}

async fn accept<C: Contender>(listener: TcpListener, contender: Arc<C>, steps: u64) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(connected(connection, Arc::clone(&contender), steps));
    }
}

async fn connected<C: Contender>(connection: TcpStream, contender: Arc<C>, steps: u64) {
    let _ = connection.set_nodelay(true);
    let service = service_fn(|request| answer(request, &*contender, steps));
    // The load closes its connections when it is done.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

async fn answer<C: Contender>(
    request: Request<Incoming>,
    contender: &C,
    steps: u64,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let result = match path.split_once('/').map(|(_, path)| path.split_once('/')) {
        Some(None) if path == "/fast" => 0,
        Some(Some(("heavy", micros))) => {
            let work = micros.parse::<u64>().unwrap_or(0) * steps;
            contender.call(ComputeHint::High, move || burn(work)).await
        }
        Some(Some(("mixed", micros))) => {
            let work = micros.parse::<u64>().unwrap_or(0) * steps;
            contender.call(ComputeHint::Unknown, move || burn(work)).await
        }
        Some(Some(("two", micros))) => {
            let micros = micros.parse::<u64>().unwrap_or(0);
            contender.call_sized(micros, move || burn(micros * steps)).await
        }
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(Full::new(Bytes::from(format!("{result}\n")))))
}

/// Work that needs a CPU and nothing else.
fn burn(steps: u64) -> u64 {
    let mut state = black_box(1_u64);
    for _ in 0..steps {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        state ^= state >> 33;
    }
    black_box(state)
}

/// How many steps fill a microsecond on this machine, when nothing disturbs them.
pub(super) fn calibrate() -> u64 {
    const STEPS: u64 = 1_000_000;
    let fastest = (0..50)
        .map(|_| {
            let started = Instant::now();
            burn(STEPS);
            started.elapsed()
        })
        .min()
        .unwrap_or(Duration::from_millis(1));
    let micros = u64::try_from(fastest.as_micros()).unwrap_or(u64::MAX).max(1);
    (STEPS / micros).max(1)
}
