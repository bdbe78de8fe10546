//! `loom-bench`: Loom beside its peers, in one program and interleaved rounds.
//!
//! `loom-bench micro` prints what a call costs, by the number of callers and the length of
//! its work, with the allocations it makes; and what tracking adds to an async task.
//! `loom-bench decide` prints what a call costs that is not moved, and `loom-bench regret` what
//! decisions cost on described workloads.
//! `loom-bench macros` prints how long the compiler checks annotated functions.
//! `loom-bench http` puts an HTTP service under load and prints how long its requests take.
//! Absolute times vary from machine to machine and from run to run; the ratios within one
//! run are what to read.

mod allocations;
mod bare;
mod contenders;
mod decide;
mod http;
mod machine;
mod macros;
mod micro;
mod regret;
mod spawn;
mod statistics;

use std::error::Error;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// A closure that does nothing: the cost of moving it, and of deciding not to.
    Micro(micro::Options),
    /// One sample of `micro`, as a process of its own.
    #[command(hide = true)]
    MicroSample(micro::SampleOptions),
    /// What a call costs that is not moved.
    Decide(decide::Options),
    /// One sample of `decide`, as a process of its own.
    #[command(hide = true)]
    DecideSample(decide::SampleOptions),
    /// Decisions on described workloads, against the better arm in hindsight.
    Regret(regret::Options),
    /// What the attribute costs the compiler.
    Macros(macros::Options),
    /// An HTTP service under open-loop load: what compute does to the fast requests.
    Http(http::Options),
    /// The service of `http`, as a process of its own.
    #[command(hide = true)]
    HttpServer(http::ServerOptions),
    /// The load of `http`, as a process of its own.
    #[command(hide = true)]
    HttpLoad(http::LoadOptions),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Args::parse().bench {
        Bench::Micro(options) => {
            micro::run(&options)?;
            spawn::run(options.quick);
        }
        Bench::MicroSample(options) => micro::sample(&options)?,
        Bench::Decide(options) => decide::run(&options)?,
        Bench::DecideSample(options) => decide::sample(&options)?,
        Bench::Regret(options) => regret::run(&options)?,
        Bench::Macros(options) => macros::run(&options)?,
        Bench::Http(options) => http::run(&options)?,
        Bench::HttpServer(options) => http::serve(&options)?,
        Bench::HttpLoad(options) => http::load(&options)?,
    }
    Ok(())
}
