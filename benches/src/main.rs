//! `loom-bench`: Loom beside its peers, in one program and interleaved rounds.
//!
//! `loom-bench micro` prints what a call costs, by the number of callers and the length of
//! its work, and what tracking adds to an async task; `alloc` what a call allocates; `decide` what
//! a call costs that is not moved; `local` what tasks and timers cost that stay on one thread;
//! `plugins` what tasks cost whose runtime is another library's;
//! `regret` what decisions cost on described workloads; `macros` how
//! long the compiler checks annotated functions; `http` how long the requests of a service take;
//! `shed` what becomes of them under twice the load that it can bear; and `all` all of that, into
//! the README.
//! Absolute times vary from machine to machine and from run to run; the ratios within one
//! run are what to read.

mod all;
mod alloc;
mod allocations;
mod contenders;
mod decide;
mod http;
mod instructions;
mod local;
mod machine;
mod macros;
mod micro;
mod plot;
mod plugins;
mod readme;
mod regret;
mod report;
mod rounds;
mod sample;
mod shed;
mod spawn;
mod statistics;
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
    /// Where the figures are written as JSON, every sample among them.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// A closure that does nothing, or a little: the cost of moving it.
    Micro(micro::Options),
    /// What a call allocates.
    Alloc(alloc::Options),
    /// What a call costs that is not moved.
    Decide(decide::Options),
    /// Tasks and timers that stay on one thread.
    Local(local::Options),
    /// Tasks whose runtime is another library's.
    Plugins(plugins::Options),
    /// Decisions on described workloads, against the better arm in hindsight.
    Regret(regret::Options),
    /// What the attribute costs the compiler.
    Macros(macros::Options),
    /// An HTTP service under open-loop load: what compute does to the fast requests.
    Http(http::Options),
    /// A service under twice the load that it can bear.
    Shed(shed::Options),
    /// All of them, and the README's tables and plots with what they say.
    All(all::Options),
    /// One sample, as a process of its own.
    #[command(hide = true)]
    Sample(sample::Options),
    /// One sample of `local`, as a process of its own.
    #[command(hide = true)]
    LocalSample(local::SampleOptions),
    /// One sample of `plugins`, likewise.
    #[command(hide = true)]
    PluginsSample(plugins::SampleOptions),
    /// Calls for callgrind to count.
    #[command(hide = true)]
    Instructions(instructions::Options),
    /// The service of `http`, as a process of its own.
    #[command(hide = true)]
    HttpServer(http::ServerOptions),
    /// The load of `http`, as a process of its own.
    #[command(hide = true)]
    HttpLoad(http::LoadOptions),
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
        Bench::Macros(options) => macros::run(&options)?,
        Bench::Http(options) => http::run(&options)?,
        Bench::Shed(options) => shed::run(&options)?,
        Bench::All(options) => return all::run(&options),
        Bench::Sample(options) => return sample::run(&options),
        Bench::LocalSample(options) => return local::sample(&options),
        Bench::PluginsSample(options) => return plugins::sample(&options),
        Bench::Instructions(options) => return instructions::sample(&options),
        Bench::HttpServer(options) => return http::serve(&options),
        Bench::HttpLoad(options) => return http::load(&options),
    };
    let Report { markdown, data, failures, .. } = report;
    println!("{}", markdown.trim());
    if let Some(path) = json {
        fs::write(path, serde_json::to_string(&data)? + "\n")?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}
