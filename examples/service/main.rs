//! A service whose handlers compute: Markdown to HTML, thumbnails, password hashes.
//!
//! Each compute function has `#[loom::compute]`, and each handler is an ordinary axum handler
//! that awaits it. With `--demo`, the service answers its own steady load in three
//! ways, and prints what each does to the time of answers. Built with `--features fleet`, its thumbnails may be made by other
//! processes: `--fleet nats://host:4222`, and there `--worker`.

mod body;
mod call;
mod demo;
mod drill;
#[cfg(feature = "fleet")]
mod fleet;
mod markdown;
mod password;
mod refusal;
mod routes;
mod serve;
mod thumbnail;
mod ways;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::watch;

use ways::Way;

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// Only the demo itself connects, so any free port works.
const DEMO_LISTEN: &str = "127.0.0.1:0";

/// An HTTP service on Loom.
#[derive(Debug, Parser)]
#[command(name = "service")]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument")]
struct Args {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8080, with --demo
    /// 127.0.0.1:0].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// Serve a load of its own three times, with functions inline, on `spawn_blocking` and placed by Loom; print a
    /// table, and end.
    #[arg(long)]
    demo: bool,

    /// How long each of the demo's three runs lasts.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "demo",
          value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,

    /// One run of the demo, which prints its figures for another process.
    #[arg(long, hide = true, requires = "demo", ignore_case = true)]
    demo_way: Option<Way>,

    /// How long clients may take, after a signal, to send or take what is left.
    #[arg(long, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    drain_seconds: u32,

    /// Serve the page of what Loom does, `/loom`, on an address that others may reach too; on
    /// loopback it is served anyway.
    #[arg(long)]
    dashboard: bool,

    /// How many milliseconds a request's computation may wait for a thread; what would wait
    /// longer is answered 503 in its place.
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=60_000))]
    longest_wait: u32,

    /// How many milliseconds after its arrival nobody wants the answer to a request any more; it is
    /// answered 503 then.
    #[arg(long, value_name = "N", conflicts_with = "demo",
          value_parser = clap::value_parser!(u32).range(1..=600_000))]
    deadline: Option<u32>,

    /// Print the hints that go with a profile, which a run with `SERVICE_PROFILE=FILE` keeps, for
    /// `loom-hints.toml`, and end.
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    hints_from: Option<PathBuf>,

    /// Let other processes make thumbnails when this one is busy: the address of a NATS server.
    #[cfg(feature = "fleet")]
    #[arg(long, value_name = "URL")]
    fleet: Option<loom::fleet::FleetUrl>,

    /// Serve no requests, but make the thumbnails of others in the fleet.
    #[cfg(feature = "fleet")]
    #[arg(long, conflicts_with_all = ["demo", "listen"])]
    worker: bool,

    /// Print at the end what Loom recommends, and on what evidence.
    #[arg(long)]
    report: bool,

    /// Add `POST /drill/panic`, whose compute function panics: for rehearsing failures.
    #[arg(long)]
    drill: bool,
}

#[cfg_attr(
    feature = "fleet",
    loom::main(
        prefix = "service",
        env_prefix = "SERVICE",
        shutdown_timeout = "10s",
        fleet = fleet::membership()
    )
)]
#[cfg_attr(
    not(feature = "fleet"),
    loom::main(prefix = "service", env_prefix = "SERVICE", shutdown_timeout = "10s")
)]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(profile) = &args.hints_from {
        return print_hints(profile);
    }
    let Args { report: reports, demo: is_demo, demo_way, .. } = args;
    let ended = run(args).await;
    // Of a demo the last run reports.
    let is_right_run = !is_demo || demo_way == Some(Way::Loom);
    if let Some(runtime) = loom::current_runtime().filter(|_| reports && is_right_run) {
        let _ = write!(io::stdout(), "{}", runtime.report());
    }
    match ended {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Turns a profile into a hints file for the next compilation.
fn print_hints(profile: &Path) -> ExitCode {
    match loom::hints::from_profile(profile) {
        Ok(hints) => {
            let _ = write!(io::stdout(), "{hints}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, String> {
    #[cfg(feature = "fleet")]
    if args.worker {
        return fleet::work().await.map(|()| ExitCode::SUCCESS);
    }
    if args.demo && args.demo_way.is_none() {
        return loom::block_in_place(demo::compare);
    }
    let default = if args.demo { DEMO_LISTEN } else { DEFAULT_LISTEN };
    let listen = args.listen.as_deref().unwrap_or(default);
    let cannot = |error| {
        format!("cannot listen on {listen}: {error}; give another address with --listen ADDR")
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let addr = listener.local_addr().map_err(cannot)?;
    if let Some(runtime) = loom::current_runtime() {
        let _ = writeln!(io::stderr(), "{runtime}");
    }
    // Before the address is printed: from then on, someone may send a signal.
    let signals = if args.demo { None } else { Some(serve::Signals::catch()?) };
    // The socket already queues connections, so this is true. The service goes on even if no
    // process reads standard output.
    let _ =
        writeln!(io::stdout(), "listening on http://{addr}").and_then(|()| io::stdout().flush());

    let (stop, stopped) = watch::channel(false);
    let longest_wait = Duration::from_millis(args.longest_wait.into());
    let dashboard = args.dashboard || addr.ip().is_loopback();
    let deadline = args.deadline.map(|millis| Duration::from_millis(millis.into()));
    let router = routes::router(args.drill, dashboard, longest_wait, deadline);
    let serve =
        serve::serve(listener, router, stopped, Duration::from_secs(args.drain_seconds.into()));
    let Some(signals) = signals else {
        let served = loom::spawn_async(serve);
        let way = args.demo_way.unwrap_or(Way::Loom);
        let ran = demo::run(addr, Duration::from_secs(args.seconds.into()), way).await;
        stop.send_replace(true);
        served.await.map_err(|error| error.to_string())??;
        return ran.map(|()| ExitCode::SUCCESS);
    };
    let signals = loom::spawn_async(signals.forward(stop));
    let served = serve.await;
    // Connections that were cut off may still hold a handle; the program ends regardless.
    signals.abort();
    served?;
    Ok(ExitCode::SUCCESS)
}
