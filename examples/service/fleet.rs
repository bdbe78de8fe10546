//! `--fleet URL` and `--worker`: thumbnails that other processes make.

use std::io::{self, Write};

use clap::Parser;
use loom_fleet::Fleet;

use crate::Args;
use crate::serve::Signals;

/// What the arguments say of the fleet; `SERVICE_FLEET_URL` and so on overrule them.
pub(crate) fn membership() -> Fleet {
    let Args { fleet, worker, .. } = Args::parse();
    let fleet = fleet.map_or_else(Fleet::from_settings, Fleet::nats).name("service");
    if worker { fleet.only_worker() } else { fleet }
}

/// Makes thumbnails until a signal comes, and finishes those that it has then.
pub(crate) async fn work() -> Result<(), String> {
    let runtime = loom::current_runtime().ok_or("there is no runtime")?;
    let Some(server) = runtime.config().fleet.shown_url() else {
        return Err("a worker needs to know where the fleet is: --fleet URL".to_owned());
    };
    let mut signals = Signals::catch()?;
    let _ = writeln!(io::stdout(), "making thumbnails for the fleet at {server}");
    signals.next().await;
    runtime.shutdown();
    runtime.wait_for_shutdown().await;
    Ok(())
}
