//! `loom-bench`: Loom beside its peers, in one program and interleaved rounds.
//!
//! - `micro`: the cost of a call, by the number of callers and the length of its work, and what
//!   tracking adds to an async task;
//! - `alloc`: the allocations of a call;
//! - `decide`: the cost of a call that runs inline;
//! - `local`: the cost of tasks and timers that stay on one thread;
//! - `plugins`: the cost of tasks whose runtime belongs to another library;
//! - `regret`: the cost of decisions on described workloads;
//! - `futures`: the cost of a poll of a compute future;
//! - `fleet`: the cost of a call on another process, and what a fleet adds under load (feature `fleet`);
//! - `macros`: how long the compiler checks annotated functions;
//! - `http`: how long the requests of a service take;
//! - `shed`: the answers of a service under twice the load that it can bear;
//! - `plain`: where calls run in a plain tokio program, beside a runtime of Loom's;
//! - `corpus`: real functions at two loads, beside each fixed placement (feature `corpus`);
//! - `watch`: the CPU time that watching a runtime takes;
//! - `all`: all of these but `futures`, `fleet`, `plain`, `corpus` and `watch`, written into
//!   `docs/benchmarks.md`.
//!
//! Absolute times vary between machines and between runs; compare the ratios within one run.

mod all;
mod alloc;
mod allocations;
mod contenders;
mod corpus;
mod decide;
#[cfg(feature = "fleet")]
mod fleet;
mod futures;
mod http;
mod instructions;
mod local;
mod machine;
mod macros;
mod micro;
mod open_loop;
mod page;
mod plain;
mod plot;
mod plugins;
mod regret;
mod report;
mod rounds;
mod sample;
mod shed;
mod spawn;
mod statistics;
mod watch;
mod watched;
mod work;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use report::Report;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
    /// The file for the figures as JSON, with every sample.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// A closure that does nothing, or a little: the cost of moving it.
    Micro(micro::Options),
    /// The allocations of a call.
    Alloc(alloc::Options),
    /// The cost of a call that runs inline.
    Decide(decide::Options),
    /// Tasks and timers that stay on one thread.
    Local(local::Options),
    /// Tasks whose runtime belongs to another library.
    Plugins(plugins::Options),
    /// Decisions on described workloads, against the better arm in hindsight.
    Regret(regret::Options),
    /// A poll of a compute future, on the pool and inline.
    Futures(futures::Options),
    /// Calls on another process.
    #[cfg(feature = "fleet")]
    Fleet(fleet::Options),
    /// A worker of `fleet`.
    #[cfg(feature = "fleet")]
    #[command(hide = true)]
    FleetWorker(fleet::WorkerOptions),
    /// The attribute's cost in compile time.
    Macros(macros::Options),
    /// An HTTP service under open-loop load: how compute affects its fast requests.
    Http(http::Options),
    /// A service under twice the load that it can bear.
    Shed(shed::Options),
    /// The CPU time that watching a runtime takes.
    Watch(watch::Options),
    /// All benches; updates the tables and plots of `docs/benchmarks.md`.
    All(all::Options),
    /// One sample, in a process of its own.
    #[command(hide = true)]
    Sample(sample::Options),
    /// One sample of `local`, in a process of its own.
    #[command(hide = true)]
    LocalSample(local::SampleOptions),
    /// One sample of `plugins`, in a process of its own.
    #[command(hide = true)]
    PluginsSample(plugins::SampleOptions),
    /// Calls for callgrind to count.
    #[command(hide = true)]
    Instructions(instructions::Options),
    /// The service of `http`, in a process of its own.
    #[command(hide = true)]
    HttpServer(http::ServerOptions),
    /// Annotated functions in a plain tokio program.
    Plain(plain::Options),
    /// The program of `plain`.
    #[command(hide = true)]
    PlainProgram(plain::ProgramOptions),
    /// Real functions, beside each fixed placement.
    Corpus(corpus::Options),
    /// The program of `corpus`.
    #[command(hide = true)]
    CorpusProgram(corpus::ProgramOptions),
    /// The load of `http`, in a process of its own.
    #[command(hide = true)]
    HttpLoad(http::LoadOptions),
    /// A neighbour of `http` that never sleeps.
    #[command(hide = true)]
    Spin,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { bench, json } = Args::parse();
    let report = match bench {
        Bench::Micro(options) => micro::run(&options)?,
        Bench::Alloc(options) => alloc::run(&options)?,
        Bench::Decide(options) => decide::run(&options)?,
        Bench::Local(options) => local::run(&options)?,
        Bench::Plugins(options) => plugins::run(&options)?,
        Bench::Regret(options) => regret::run(&options)?,
        Bench::Futures(options) => futures::run(&options)?,
        #[cfg(feature = "fleet")]
        Bench::Fleet(options) => fleet::run(&options)?,
        #[cfg(feature = "fleet")]
        Bench::FleetWorker(options) => return fleet::worker(&options),
        Bench::Macros(options) => macros::run(&options)?,
        Bench::Http(options) => http::run(&options)?,
        Bench::Shed(options) => shed::run(&options)?,
        Bench::Watch(options) => watch::run(&options)?,
        Bench::Plain(options) => plain::run(&options)?,
        Bench::PlainProgram(options) => return plain::program(&options),
        Bench::Corpus(options) => corpus::run(&options)?,
        Bench::CorpusProgram(options) => return corpus::program(&options),
        Bench::All(options) => return all::run(&options),
        Bench::Sample(options) => return sample::run(&options),
        Bench::LocalSample(options) => return local::sample(&options),
        Bench::PluginsSample(options) => return plugins::sample(&options),
        Bench::Instructions(options) => return instructions::sample(&options),
        Bench::HttpServer(options) => return http::serve(&options),
        Bench::HttpLoad(options) => return http::load(&options),
        Bench::Spin => {
            http::spin();
            return Ok(());
        }
    };
    let Report { markdown, data, failures, .. } = report;
    println!("{}", markdown.trim());
    if let Some(path) = json {
        fs::write(path, serde_json::to_string(&data)? + "\n")?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}
