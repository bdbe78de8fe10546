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
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::net::TcpListener;

use crate::report::{Bar, Report, Table, figure};
use crate::statistics::{Estimate, median};

/// What watching may add to a poll, in nanoseconds.
const MORE: Bar = Bar::AtMost(10.0);
/// What it may make of the CPU time of a request.
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

/// How a connection is served. Each way is compiled apart, so that none has the other's code warm in the caches.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    /// Within futures that add nothing. It differs from the plain way by what any wrapper costs, and by chance.
    Within,
    Watched,
}

const WAYS: [Way; 3] = [Way::Plain, Way::Within, Way::Watched];
/// How many requests a connection has before it is the next one's turn.
const REQUESTS: u32 = 500;

/// What a request costs the worker that serves it, watched and not: with its client on the same CPU, which no wake
/// across CPUs disturbs, and with both where the system puts them.
pub(crate) fn add_requests(report: &mut Report, quick: bool) -> Result<(), Box<dyn Error>> {
    let (rounds, turns) = if quick { (5, 4) } else { (31, 20) };
    report.say(&format!(
        "A request to a hyper service over loopback, which answers some bytes: CPU time of the worker, medians of \
         {rounds} rounds, each with three new connections that have {turns} turns of {REQUESTS} requests. Plain: on \
         `tokio::spawn`. Within others: the same, the task and each handler within a future that adds nothing. \
         Watched: on `spawn_async`, and each handler an observed future."
    ));
    let allowed = match sched_getaffinity(None) {
        Ok(allowed) => allowed,
        Err(error) => {
            report
                .say(&format!("Not measured: the CPUs of this process cannot be read ({error})."));
            return Ok(());
        }
    };
    let mut one = CpuSet::new();
    (0..CpuSet::MAX_CPU).rfind(|cpu| allowed.is_set(*cpu)).inspect(|cpu| one.set(*cpu));
    let bar = format!("{} of plain", OF_A_REQUEST.sign());
    let heads =
        ["worker and client", "µs plain", "ns more", "of plain", "within others, of plain", &bar];
    let mut table = Table::new(1, heads);
    for (name, cpus) in [("on one CPU", one), ("on any CPU", allowed)] {
        sched_setaffinity(None, &cpus)?;
        let rounds = nanos_a_request(rounds, turns, cpus);
        sched_setaffinity(None, &allowed)?;
        let rounds = rounds?;
        let each = |of: fn(&[f64; WAYS.len()]) -> f64| {
            Estimate::of(&rounds.iter().map(of).collect::<Vec<_>>())
        };
        let plain = each(|[plain, ..]| plain / 1e3);
        let within = each(|[plain, within, _]| within / plain);
        let watched = each(|[plain, _, watched]| watched / plain);
        let more = each(|[plain, _, watched]| watched - plain);
        let thousandths =
            |of: Estimate| format!("{:.3} ({:.3} to {:.3})", of.median, of.low, of.high);
        table.row([
            name.to_owned(),
            figure(plain.median, 2),
            format!("{:.0} ({:.0} to {:.0})", more.median, more.low, more.high),
            thousandths(watched),
            thousandths(within),
            OF_A_REQUEST.verdict(watched).to_owned(),
        ]);
        report.data(
            &format!("watched_request, {name}"),
            [plain, within, watched, more].map(|of| [of.median, of.low, of.high]),
        );
    }
    report.table(&table);
    Ok(())
}

/// The CPU time of a request in each round, by way.
fn nanos_a_request(
    rounds: u32,
    turns: u32,
    cpus: CpuSet,
) -> Result<Vec<[f64; WAYS.len()]>, Box<dyn Error>> {
    let runtime = LoomBuilder::new().tokio_threads(1).rayon_threads(1).build()?;
    let here = async move {
        sched_setaffinity(None, &cpus)?;
        fs::read_link("/proc/thread-self")
    };
    let worker = runtime.block_on(runtime.tokio_handle().spawn(here))??;
    let mut samples = Vec::new();
    for round in 0..=rounds {
        let mut clients = Vec::new();
        for way in WAYS {
            clients.push(connection(&runtime, way)?);
        }
        let mut nanos = [0.0; WAYS.len()];
        for turn in 0..turns {
            for place in 0..WAYS.len() {
                // Forwards and backwards, since what ran before leaves the caches warm or cold.
                let place = if turn % 2 == 0 { place } else { WAYS.len() - 1 - place };
                let way = (place + (turn + round) as usize) % WAYS.len();
                let before = cpu_nanos(&worker)?;
                ask(&mut clients[way], REQUESTS)?;
                nanos[way] += cpu_nanos(&worker)? - before;
            }
        }
        samples.push(nanos.map(|nanos| nanos / f64::from(turns * REQUESTS)));
    }
    // It warmed up.
    samples.remove(0);
    Ok(samples)
}

/// A connection to a service on this runtime.
fn connection(runtime: &LoomRuntime, way: Way) -> Result<TcpStream, Box<dyn Error>> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (server, _) = runtime.block_on(listener.accept())?;
    server.set_nodelay(true)?;
    let (http, server) = (http1::Builder::new(), TokioIo::new(server));
    match way {
        Way::Plain => {
            let task = http.serve_connection(server, service_fn(answer));
            drop(runtime.tokio_handle().spawn(task));
        }
        Way::Within => {
            let answers = service_fn(|request| within(answer(request)));
            let task = http.serve_connection(server, answers);
            drop(runtime.tokio_handle().spawn(within(task)));
        }
        Way::Watched => {
            let answers = service_fn(|request| loom::observe("a request", answer(request)));
            drop(runtime.spawn_async(http.serve_connection(server, answers)));
        }
    }
    Ok(client)
}

async fn within<F: Future>(future: F) -> F::Output {
    future.await
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
