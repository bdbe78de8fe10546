//! `--demo`: the same load three times, with functions inline, on `spawn_blocking` and placed by Loom, and a
//! table of the results. Each run is a process of its own, so that none inherits the memory of another.

mod load;
mod neighbours;
mod summary;
mod table;

use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ways::Way;

use neighbours::Ticks;
use summary::Summary;

/// Runs this program once for each way, with the arguments that it was given, and prints a table.
pub(crate) fn compare() -> Result<ExitCode, String> {
    let program =
        env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let began = Ticks::so_far();
    let (mut summaries, mut rest) = (Vec::new(), String::new());
    for way in Way::ALL {
        let mut run = Command::new(&program);
        run.args(env::args_os().skip(1)).args(["--demo-way", way.name()]).stderr(Stdio::inherit());
        let output =
            run.output().map_err(|error| format!("cannot start a run of the demo: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (summary, others): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.starts_with('{'));
        let summary = summary.first().and_then(|line| serde_json::from_str(line).ok());
        let broke_off =
            || format!("the run `{}` of the demo broke off: {}", way.name(), output.status);
        summaries.push(summary.ok_or_else(broke_off)?);
        // The report of the last run, where one was asked for.
        rest = others.get(1..).unwrap_or_default().join("\n");
    }
    let is_right = table::print(&summaries);
    if let Some(remark) = began.and_then(|began| began.remark()) {
        let _ = writeln!(io::stdout(), "{remark}");
    }
    if !rest.is_empty() {
        let _ = writeln!(io::stdout(), "\n{rest}");
    }
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the load on its own threads, which belong to no part of the service, and prints the summary.
pub(crate) async fn run(addr: SocketAddr, length: Duration, way: Way) -> Result<(), String> {
    way.take();
    let (done, load) = oneshot::channel();
    thread::Builder::new()
        .name("demo-load".to_owned())
        .spawn(move || {
            // The receiver is gone if the service was interrupted.
            let _ = done.send(load::run(addr, length, way.name()));
        })
        .map_err(|error| format!("cannot start the demo's load: {error}"))?;
    let load = load.await.map_err(|_gone| "the demo's load broke off".to_owned())??;
    let summary = serde_json::to_string(&Summary::of(load)).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{summary}").map_err(|error| error.to_string())
}
