//! `loom-bench futures`: what a poll of a compute future costs, on the pool and inline.
//!
//! Each future is polled a thousand times, since it awaits a channel as often.

use std::error::Error;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use loom::{LoomBuilder, LoomRuntime};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver};

use crate::allocations;
use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::at_least_one;
use crate::statistics::{Estimate, median};

/// How often a future is polled.
const POLLS: usize = 1000;
/// A poll through the pool, by the round trip of a forced call whose caller waits in the same way.
const POOL: Bar = Bar::AtMost(1.1);
/// Futures that are polled in place for each one on the pool: such a poll takes far less.
const IN_PLACE: usize = 20;
/// Nanoseconds of an inline poll beyond those of a plain one.
const INLINE: Bar = Bar::AtMost(15.0);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// How many futures a sample has.
    #[arg(long, default_value_t = 30, value_parser = at_least_one)]
    pub(crate) futures: usize,
}

/// Answers each message.
async fn answers(mut from: Receiver<u64>, to: Sender<u64>) {
    while let Some(n) = from.recv().await {
        to.send(n + 1).await.expect("it is received");
    }
}

#[loom::compute(mode = "offload")]
async fn answers_on_the_pool(mut from: Receiver<u64>, to: Sender<u64>) {
    while let Some(n) = from.recv().await {
        to.send(n + 1).await.expect("it is received");
    }
}

async fn sums(mut from: UnboundedReceiver<u64>) -> u64 {
    let mut sum = 0;
    while let Some(n) = from.recv().await {
        sum += n;
    }
    sum
}

#[loom::compute(hint = "low")]
async fn sums_inline(mut from: UnboundedReceiver<u64>) -> u64 {
    let mut sum = 0;
    while let Some(n) = from.recv().await {
        sum += n;
    }
    sum
}

/// Where the future runs that answers.
#[derive(Clone, Copy)]
enum Way {
    Task,
    SecondRuntime,
    Attribute,
    Spawned,
}

const WAYS: [(&str, Way); 4] = [
    ("tokio::spawn", Way::Task),
    ("a second runtime", Way::SecondRuntime),
    ("loom attribute, on the pool", Way::Attribute),
    ("loom spawn_compute_future", Way::Spawned),
];

#[derive(Clone, Copy)]
struct Cost {
    nanos: f64,
    allocations: f64,
}

/// Measures what `f` does, for each of so many polls.
async fn measured(polls: usize, f: impl Future<Output = ()>) -> Cost {
    let (before, started) = (allocations::count(), Instant::now());
    f.await;
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let cost = Cost {
        nanos: started.elapsed().as_nanos() as f64 / polls as f64,
        allocations: (allocations::count() - before) as f64 / polls as f64,
    };
    cost
}

/// Sends messages to futures on another thread, and awaits each answer.
async fn round_trips(futures: usize, way: Way, second: &Runtime) -> Cost {
    let mut channels = Vec::new();
    for _ in 0..futures {
        let (to, from_here) = mpsc::channel(1);
        let (to_here, from) = mpsc::channel(1);
        match way {
            Way::Task => drop(tokio::spawn(answers(from_here, to_here))),
            Way::SecondRuntime => drop(second.spawn(answers(from_here, to_here))),
            Way::Attribute => drop(tokio::spawn(answers_on_the_pool(from_here, to_here))),
            Way::Spawned => loom::spawn_compute_future(answers(from_here, to_here)).detach(),
        }
        channels.push((to, from));
    }
    measured(futures * POLLS, async {
        for (to, from) in &mut channels {
            for n in 0..POLLS as u64 {
                to.send(n).await.expect("it is received");
                black_box(from.recv().await);
            }
        }
    })
    .await
}

/// Forced calls whose caller waits for the answer as it waits for a future's.
async fn forced_calls_that_send(calls: usize) -> Cost {
    let (to, mut from) = mpsc::channel(1);
    measured(calls, async {
        for n in 0..calls as u64 {
            let to = to.clone();
            loom::spawn_compute(move || to.try_send(n + 1)).detach();
            black_box(from.recv().await);
        }
    })
    .await
}

async fn forced_calls(calls: usize) -> Cost {
    measured(calls, async {
        for n in 0..calls {
            black_box(loom::spawn_compute(move || n + 1).await);
        }
    })
    .await
}

/// Polls futures in place, each poll after one message.
async fn polls_in_place<F: Future<Output = u64>>(
    futures: usize,
    make: impl Fn(UnboundedReceiver<u64>) -> F,
) -> Cost {
    measured(futures * POLLS, async {
        for _ in 0..futures {
            let (to, from) = mpsc::unbounded_channel();
            let mut future = pin!(make(from));
            for n in 0..POLLS as u64 {
                to.send(n).expect("it is received");
                let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
            }
            drop(to);
            black_box(future.await);
        }
    })
    .await
}

/// Runs a sample as a task, as a handler of a service runs.
fn sample<F>(runtime: &LoomRuntime, f: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let task = runtime.tokio_handle().spawn(f);
    runtime.block_on(task).expect("it does not panic")
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let (rounds, futures) = if options.quick { (1, 2) } else { (options.rounds, options.futures) };
    let runtime = LoomBuilder::new().build()?;
    let second = std::sync::Arc::new(Runtime::new()?);
    let mut ways: [Vec<Cost>; WAYS.len()] = Default::default();
    let (mut calls, mut sending) = (Vec::new(), Vec::new());
    let (mut plain, mut boxed, mut inline) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut of_round = Vec::new();
        for (_, way) in WAYS {
            let second = second.clone();
            of_round
                .push(sample(&runtime, async move { round_trips(futures, way, &second).await }));
        }
        let called = sample(&runtime, forced_calls(futures * POLLS));
        let sent = sample(&runtime, forced_calls_that_send(futures * POLLS));
        let here = futures * IN_PLACE;
        let of_plain = sample(&runtime, async move { polls_in_place(here, sums).await });
        // An annotated one is in a block of its own, too, which no caller's poll is merged with.
        let in_a_box = |from| Box::pin(sums(from)) as Pin<Box<dyn Future<Output = u64> + Send>>;
        let of_boxed = sample(&runtime, async move { polls_in_place(here, in_a_box).await });
        let of_inline = sample(&runtime, async move { polls_in_place(here, sums_inline).await });
        // The first round warms up.
        if round > 0 {
            ways.iter_mut().zip(of_round).for_each(|(way, cost)| way.push(cost));
            calls.push(called);
            sending.push(sent);
            plain.push(of_plain);
            boxed.push(of_boxed);
            inline.push(of_inline);
            eprintln!("round {round} of {rounds}");
        }
    }
    let mut report = Report::default();
    report.say(&format!(
        "A task sends a message to a future and awaits the answer, a thousand times for each future; \
         medians of {rounds} interleaved rounds in one process. Beside it forced calls: one that sends \
         its answer through such a channel, whose caller waits as the task does, and `spawn_compute` as it \
         is, whose caller waits on the spot. Ratios are of one round."
    ));
    let heads = ["", "ns a round trip", "of a call that sends", "of a call", "allocations a poll"];
    let mut table = Table::new(1, heads);
    let rows = WAYS
        .iter()
        .map(|(name, _)| *name)
        .zip(ways.iter().map(Vec::as_slice))
        .chain([("a forced call that sends", &sending[..]), ("a forced call", &calls[..])]);
    for (name, costs) in rows {
        table.row([
            name.to_owned(),
            figure(nanos(costs), 0),
            ratio(ratios(costs, &sending)),
            ratio(ratios(costs, &calls)),
            figure(allocated(costs), 3),
        ]);
    }
    report.table(&table);
    report.say("A future that is polled in place, by its task, after each message.");
    let extra: Vec<_> =
        inline.iter().zip(&plain).map(|(inline, plain)| inline.nanos - plain.nanos).collect();
    let extra = Estimate::of(&extra);
    let mut table = Table::new(1, ["", "ns a poll", "allocations a poll"]);
    let rows = [
        ("a plain async function", &plain),
        ("a plain one in a box", &boxed),
        ("an annotated one, inline", &inline),
    ];
    for (name, costs) in rows {
        table.row([name.to_owned(), figure(nanos(costs), 1), figure(allocated(costs), 3)]);
    }
    report.table(&table);
    let pool = ratios(&ways[2], &sending);
    report.say("What was aimed at:");
    let mut table = Table::new(2, ["", "", "", "bar", ""]);
    table.row([
        "loom attribute, on the pool".to_owned(),
        "by a forced call that sends".to_owned(),
        ratio(pool),
        POOL.sign(),
        POOL.verdict(pool).to_owned(),
    ]);
    table.row([
        "an annotated one, inline".to_owned(),
        "ns beyond a plain poll".to_owned(),
        ratio(extra),
        INLINE.sign(),
        INLINE.verdict(extra).to_owned(),
    ]);
    report.table(&table);
    let nanos_of = |costs: &[Cost]| costs.iter().map(|cost| cost.nanos).collect::<Vec<_>>();
    report.data("futures_pool_ns", ways.iter().map(|costs| nanos_of(costs)).collect::<Vec<_>>());
    report.data("futures_inline_ns", [nanos_of(&plain), nanos_of(&boxed), nanos_of(&inline)]);
    Ok(report)
}

fn nanos(costs: &[Cost]) -> f64 {
    median(&mut costs.iter().map(|cost| cost.nanos).collect::<Vec<_>>())
}

fn allocated(costs: &[Cost]) -> f64 {
    median(&mut costs.iter().map(|cost| cost.allocations).collect::<Vec<_>>())
}

/// The costs, by those of the same round.
fn ratios(costs: &[Cost], by: &[Cost]) -> Estimate {
    Estimate::of(&costs.iter().zip(by).map(|(cost, by)| cost.nanos / by.nanos).collect::<Vec<_>>())
}
