//! What watching polls costs: an observed future beside a plain one, and a service whose tasks and handlers are
//! watched beside one whose are not.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use loom::{LoomBuilder, LoomRuntime};
use tokio::net::TcpListener;

use crate::report::{Bar, Report, Table, figure, ratio};
use crate::statistics::{Estimate, median};

/// What watching may add to a poll, in nanoseconds.
const MORE: Bar = Bar::AtMost(10.0);
/// What it may add to the CPU time of a request, as a ratio.
const OF_A_REQUEST: Bar = Bar::AtMost(1.01);

pub(crate) fn add(report: &mut Report, quick: bool) {
    let (rounds, polls) = if quick { (3, 10_000) } else { (31, 1_000_000) };
    let runtime = LoomBuilder::new().build().expect("loom starts");
    let (mut plain, mut observed, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        for round in 0..=rounds {
            let alone = nanos_a_poll(polls, endless());
            let watched = nanos_a_poll(polls, loom::observe("bench", endless()));
            if round > 0 {
                extra.push(watched - alone);
                plain.push(alone);
                observed.push(watched);
            }
        }
    });
    let estimate = Estimate::of(&extra);
    let Estimate { median: more, low, high, .. } = estimate;
    report.say(&format!(
        "A poll that does nothing, medians of {rounds} interleaved rounds in one process."
    ));
    let mut table = Table::new(1, ["", "ns a poll"]);
    for (name, nanos) in [("plain poll", &mut plain), ("observed poll", &mut observed)] {
        table.row([name.to_owned(), figure(median(nanos), 1)]);
    }
    report.table(&table);
    report.say(&format!(
        "An observed poll takes {more:.1} ns more than a plain one within a round, 95 % interval {low:.1} to \
         {high:.1}; at most 10 was aimed at: {}.",
        MORE.verdict(estimate)
    ));
    report.data("watched_extra_ns", [more, low, high]);
}

/// Never ready.
fn endless() -> impl Future<Output = ()> {
    poll_fn(|_| black_box(Poll::Pending))
}

fn nanos_a_poll(polls: u32, future: impl Future<Output = ()>) -> f64 {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || {
        black_box(future.as_mut().poll(&mut cx)).is_ready();
    };
    // The first polls of a place are timed.
    (0..100).for_each(|_| poll());
    let started = Instant::now();
    (0..polls).for_each(|_| poll());
    started.elapsed().as_secs_f64() * 1e9 / f64::from(polls)
}

/// The ways to serve a connection, and whether it is watched. Plain ones twice: two of them differ by what cannot
/// be told here.
const WAYS: [(&str, bool); 3] = [("plain", false), ("plain once more", false), ("watched", true)];

/// What a request costs the worker that serves it, watched and not.
pub(crate) fn add_requests(report: &mut Report, quick: bool) -> Result<(), Box<dyn Error>> {
    let (rounds, requests) = if quick { (1, 200) } else { (45, 2000) };
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build()?;
    let here = async { fs::read_link("/proc/thread-self") };
    let worker = runtime.block_on(runtime.tokio_handle().spawn(here))??;
    let mut micros = WAYS.map(|_| Vec::new());
    for round in 0..=rounds {
        for turn in 0..WAYS.len() {
            let way = (turn + round) % WAYS.len();
            let mut client = connection(&runtime, WAYS[way].1)?;
            ask(&mut client, requests / 10)?;
            let before = cpu_nanos(&worker)?;
            ask(&mut client, requests)?;
            if round > 0 {
                micros[way].push((cpu_nanos(&worker)? - before) / 1e3 / f64::from(requests));
            }
        }
    }
    report.say(&format!(
        "A request to a hyper service over loopback, which answers some bytes: CPU time of the worker, medians of \
         {rounds} interleaved rounds of {requests}, each over a connection of its own. Plain: on `tokio::spawn`. \
         Watched: on `spawn_async`, and each handler an observed future."
    ));
    let by_plain = |of: &[f64]| {
        Estimate::of(&of.iter().zip(&micros[0]).map(|(of, plain)| of / plain).collect::<Vec<_>>())
    };
    let ratios = [1, 2].map(|way| by_plain(&micros[way]));
    let mut table = Table::new(1, ["", "µs a request", "of plain"]);
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let of_plain = way.checked_sub(1).map_or("1".to_owned(), |way| ratio(ratios[way]));
        table.row([(*name).to_owned(), figure(median(&mut micros[way].clone()), 2), of_plain]);
    }
    report.table(&table);
    report.say(&format!(
        "Watching was to take at most a hundredth of a request: {}.",
        OF_A_REQUEST.verdict(ratios[1])
    ));
    report.data("watched_request", ratios.map(|of| [of.median, of.low, of.high]));
    Ok(())
}

/// A connection to a service on this runtime.
fn connection(runtime: &LoomRuntime, is_watched: bool) -> Result<TcpStream, Box<dyn Error>> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (server, _) = runtime.block_on(listener.accept())?;
    server.set_nodelay(true)?;
    let (http, server) = (http1::Builder::new(), TokioIo::new(server));
    if is_watched {
        let answers = service_fn(|request| loom::observe("a request", answer(request)));
        drop(runtime.spawn_async(http.serve_connection(server, answers)));
    } else {
        let plain = http.serve_connection(server, service_fn(answer));
        drop(runtime.tokio_handle().spawn(plain));
    }
    Ok(client)
}

async fn answer(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("done")))
}

fn ask(client: &mut TcpStream, times: u32) -> Result<(), Box<dyn Error>> {
    let mut answer = [0; 1024];
    for _ in 0..times {
        client.write_all(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut len = 0;
        while !answer[..len].ends_with(b"done") {
            match client.read(&mut answer[len..])? {
                0 => return Err("the service hung up".into()),
                more => len += more,
            }
        }
    }
    Ok(())
}

/// The CPU time of a thread of this process so far.
fn cpu_nanos(thread: &Path) -> Result<f64, Box<dyn Error>> {
    let of_thread = fs::read_to_string(Path::new("/proc").join(thread).join("schedstat"))?;
    let nanos = of_thread.split_whitespace().next().ok_or("no time")?;
    Ok(nanos.parse()?)
}
