//! A query engine in a service, three ways: DataFusion over a Parquet file, behind an HTTP handler, on one
//! tokio runtime, on a second runtime of its own, and on Loom's compute pool.
//!
//! `README.md` says how to run it.

mod compare;
mod engine;
mod load;
mod orders;
mod service;
#[cfg(test)]
mod tests;
mod way;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::engine::Engine;
use crate::way::{Home, Way};

#[derive(Parser)]
#[command(about = "A query engine in a service, three ways")]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// The seconds of each run.
    #[arg(long, default_value_t = 5.0, value_parser = compare::seconds)]
    seconds: f64,
    /// The number of rounds, in which the three ways take turns.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Serves queries until Ctrl-C
    Serve {
        way: Way,
        #[arg(default_value = "127.0.0.1:8080")]
        address: SocketAddr,
    },
    /// One run of the comparison
    #[command(hide = true)]
    Measure { way: Way, orders: PathBuf },
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.command {
        None => compare::run(options.rounds, options.seconds),
        Some(Command::Measure { way, orders }) => compare::measure(way, &orders, options.seconds),
        Some(Command::Serve { way, address }) => serve(way, address),
    }
}

fn serve(way: Way, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let orders = folder.path().join("orders.parquet");
    orders::write(&orders)?;
    let home = Home::new(way)?;
    home.handle().block_on(async {
        let router = service::router(Engine::open(&orders).await?, home.place());
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("http://{address}/query?sql=SELECT+count(*)+FROM+orders");
        let stops = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
        axum::serve(listener, router).with_graceful_shutdown(stops).await?;
        Ok(())
    })
}
