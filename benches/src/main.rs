//! `loom-bench`: Loom beside its peers, in one program and interleaved rounds.
//!
//! `loom-bench micro` prints what a call of a closure that does nothing costs, from one
//! task and from 64, as medians over the rounds, with the allocations it makes; and what
//! tracking adds to an async task.
//! `loom-bench http` puts an HTTP service under load and prints how long its requests take.
//! Absolute times vary from machine to machine and from run to run; the ratios within one
//! run are what to read.

mod allocations;
mod contenders;
mod http;
mod micro;
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
    Micro {
        /// Few and short rounds: shows that the bench works, not what anything costs.
        #[arg(long)]
        quick: bool,
    },
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
        Bench::Micro { quick } => {
            micro::run(quick);
            spawn::run(quick);
        }
        Bench::Http(options) => http::run(&options)?,
        Bench::HttpServer(options) => http::serve(&options)?,
        Bench::HttpLoad(options) => http::load(&options)?,
    }
    Ok(())
}
