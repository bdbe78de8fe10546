//! `loom-bench fleet`: what the way to another process costs, and what a fleet adds under load.
//!
//! The server is a NATS server on the loopback interface, whose program `LOOM_NATS_SERVER` names. Workers are
//! processes of their own.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use loom::{ComputePriority, LoomBuilder, LoomRuntime};
use loom_fleet::Fleet;

use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::statistics::{Estimate, median};

/// Bytes of the arguments, which come back.
const SIZES: [usize; 2] = [256, 64 << 10];
/// A far call, by a bare request of the same size.
const WAY: Bar = Bar::AtMost(1.2);
/// The answers of a caller with two workers, by those of the caller alone.
const ANSWERS: Bar = Bar::AtLeast(1.8);
const BARE: &str = "bare.echo";
/// The same, with the four copies that a codec of owned values makes: each side writes once and reads once.
const COPIED: &str = "bare.copied";
/// How long a call of the second part holds its thread. It sleeps: so threads share no CPU, as on machines of
/// their own.
const HELD: Duration = Duration::from_millis(5);
/// A call that would wait longer is shed.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// How many requests a sample has.
    #[arg(long, default_value_t = 500, value_parser = at_least_one)]
    pub(crate) requests: usize,
    /// How many seconds a run under load takes.
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    pub(crate) seconds: usize,
}

#[derive(clap::Args)]
pub(crate) struct WorkerOptions {
    url: String,
}

/// High as a hint: as it is not measured here, it goes to the fleet. The worker learns that it is short.
#[loom::compute(fleet, hint = "high")]
fn echo(bytes: Bytes) -> Bytes {
    bytes
}

#[loom::compute(fleet, idempotent, hint = "high")]
fn holds_a_thread() {
    sleep(HELD);
}

/// The program of a worker: it serves the functions, and answers bare requests.
pub(crate) fn worker(options: &WorkerOptions) -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::nats(&options.url).name("bench").only_worker();
    let runtime = builder().fleet(fleet).build()?;
    runtime.block_on(async {
        let client = async_nats::connect(&options.url).await?;
        let group = || "bare".to_owned();
        let plain = client.queue_subscribe(BARE, group()).await?;
        let copied = client.queue_subscribe(COPIED, group()).await?;
        // As a service answers, in a task of its own.
        let mut requests = futures_util::stream::select(plain, copied);
        while let Some(request) = requests.next().await {
            let client = client.clone();
            tokio::spawn(async move {
                let Some(inbox) = request.reply else { return };
                let mut answer = request.payload;
                if request.subject.as_str() == COPIED {
                    let read = Bytes::copy_from_slice(&answer);
                    answer = Bytes::copy_from_slice(black_box(&read));
                }
                drop(client.publish(inbox, answer).await);
            });
        }
        Ok(())
    })
}

fn builder() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(1).rayon_threads(1).compute_priority(ComputePriority::Normal)
}

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(program: &Path, args: &[&str]) -> Result<Process, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(Process(child))
}

/// A server, and its address.
fn server() -> Result<(Process, String), Box<dyn Error>> {
    let program = env::var("LOOM_NATS_SERVER").map_err(|_| {
        "`LOOM_NATS_SERVER` has to name the program of a NATS server; `loom-fleet/get-server FOLDER` \
         installs one and prints its path"
    })?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let config = env::temp_dir().join(format!("loom-bench-nats-{port}.conf"));
    fs::write(&config, format!("listen: \"127.0.0.1:{port}\"\n"))?;
    let process = start(Path::new(&program), &["--config", &config.display().to_string()])?;
    for _ in 0..500 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            fs::remove_file(config)?;
            return Ok((process, format!("nats://127.0.0.1:{port}")));
        }
        sleep(Duration::from_millis(20));
    }
    Err(format!("{program} does not listen on port {port}").into())
}

/// The median time of requests that are made one after another, in microseconds.
async fn sample<F: Future>(requests: usize, request: impl Fn() -> F) -> f64 {
    let mut micros = Vec::with_capacity(requests);
    for _ in 0..requests {
        let began = Instant::now();
        black_box(request().await);
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    median(&mut micros)
}

/// The runs of one size: microseconds of bare requests, of those with copies, and of far calls.
async fn way(client: &Client, size: usize, rounds: usize, requests: usize) -> [Vec<f64>; 3] {
    let payload = Bytes::from(vec![200; size]);
    let bare = || client.request(BARE, payload.clone());
    let copied = || async {
        let answer = client.request(COPIED, Bytes::copy_from_slice(&payload)).await;
        answer.map(|answer| Bytes::copy_from_slice(&answer.payload))
    };
    let far = || echo(payload.clone());
    let mut costs = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        let of_round = [
            sample(requests, bare).await,
            sample(requests, copied).await,
            sample(requests, far).await,
        ];
        // The first round warms up.
        if round > 0 {
            costs.iter_mut().zip(of_round).for_each(|(costs, cost)| costs.push(cost));
        }
    }
    costs
}

#[derive(Default)]
struct Load {
    answered: usize,
    shed: usize,
    far: u64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

/// Calls in twice the number that the runtime bears alone, those shed that would wait for long.
fn load(runtime: &LoomRuntime, seconds: usize) -> Load {
    let name = concat!(module_path!(), "::holds_a_thread");
    let period = HELD / 2;
    let (shed, answers) = runtime.block_on(async {
        let mut beats = tokio::time::interval(period);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let (began, mut calls) = (Instant::now(), Vec::new());
        let shed = Arc::new(AtomicUsize::new(0));
        while began.elapsed() < Duration::from_secs(seconds as u64) {
            beats.tick().await;
            if runtime.would_wait_for(name, PATIENCE).is_some() {
                shed.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            calls.push(loom::spawn_async(async {
                let began = Instant::now();
                holds_a_thread().await;
                began.elapsed().as_secs_f64() * 1e3
            }));
        }
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("it does not panic"));
        }
        (shed.load(Ordering::Relaxed), answers)
    });
    let mut answers = answers;
    answers.sort_by(f64::total_cmp);
    let at = |share: usize| answers.get(answers.len() * share / 100).copied().unwrap_or_default();
    let functions = runtime.functions();
    let far = functions.iter().find(|it| it.name == name).map_or(0, |it| it.far.returned);
    Load { answered: answers.len(), shed, far, p50: at(50), p99: at(99) }
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let Options { quick, rounds, requests, seconds } = *options;
    let (rounds, requests, seconds) = if quick { (1, 20, 1) } else { (rounds, requests, seconds) };
    let (_server, url) = server()?;
    let this = env::current_exe()?;
    let mut report = Report::default();

    let head = [
        "",
        "bare request, µs",
        "with four copies, µs",
        "far call, µs",
        "by bare",
        "bar",
        "",
        "by copied",
    ];
    let mut table = Table::new(1, head);
    let one = start(&this, &["fleet-worker", &url])?;
    let caller = builder().fleet(Fleet::nats(&url).name("bench").preferred()).build()?;
    for size in SIZES {
        let [bare, copied, far] = caller.block_on(caller.spawn_async({
            let url = url.clone();
            async move {
                let client = async_nats::connect(url).await.expect("the server is there");
                while client.request(BARE, Bytes::new()).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                way(&client, size, rounds, requests).await
            }
        }))?;
        let by = |others: &[f64]| {
            let ratios: Vec<_> = far.iter().zip(others).map(|(far, other)| far / other).collect();
            Estimate::of(&ratios)
        };
        let (by_bare, by_copied) = (by(&bare), by(&copied));
        table.row([
            format!("{size} bytes"),
            figure(median(&mut bare.clone()), 0),
            figure(median(&mut copied.clone()), 0),
            figure(median(&mut far.clone()), 0),
            ratio(by_bare),
            WAY.sign(),
            WAY.verdict(by_bare).to_owned(),
            ratio(by_copied),
        ]);
        report.data(&format!("fleet_way_{size}"), [bare, copied, far]);
    }
    let functions = caller.functions();
    let sent = functions.iter().map(|function| (function.far.returned, function.far.refused));
    let (returned, refused) = sent.fold((0, 0), |all, of| (all.0 + of.0, all.1 + of.1));
    report.say(&format!(
        "Arguments that come back, one request after another: a bare request of the NATS client, one with \
         the copies that reading and writing owned values takes, and a call of a function with `fleet`; medians of {rounds} interleaved rounds of {requests}. {returned} calls were \
         answered by the worker, {refused} ran here."
    ));
    report.table(&table);
    drop(caller);

    let _two = start(&this, &["fleet-worker", &url])?;
    let alone = load(&builder().build()?, seconds);
    let member = builder().fleet(Fleet::nats(&url).name("bench")).build()?;
    // It has to find the others.
    sleep(Duration::from_millis(500));
    let with = load(&member, seconds);
    drop(one);
    report.say(&format!(
        "One compute thread, and calls that hold it for {HELD:?}, twice as many as it bears, for {seconds} s. \
         A call that would wait for more than {PATIENCE:?} is shed. The calls sleep, so that the threads of \
         the processes share no CPU, as on machines of their own."
    ));
    let mut table = Table::new(1, ["", "answers", "of them far", "shed", "p50, ms", "p99, ms"]);
    for (name, load) in [("the caller alone", &alone), ("with two workers", &with)] {
        table.row([
            name.to_owned(),
            load.answered.to_string(),
            load.far.to_string(),
            load.shed.to_string(),
            figure(load.p50, 1),
            figure(load.p99, 1),
        ]);
    }
    report.table(&table);
    #[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
    let more = Estimate::of(&[with.answered as f64 / alone.answered.max(1) as f64]);
    let mut table = Table::new(2, ["", "", "", "bar", ""]);
    table.row([
        "with two workers".to_owned(),
        "answers of those alone".to_owned(),
        ratio(more),
        ANSWERS.sign(),
        ANSWERS.verdict(more).to_owned(),
    ]);
    report.table(&table);
    Ok(report)
}
