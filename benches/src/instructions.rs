//! Instructions, which are the same on every run of a machine's kind, counted by callgrind.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};

use loom::{ComputeHint, LoomBuilder, LoomRuntime};

use crate::report::{Report, Table, figure};

#[derive(clap::Args)]
pub(crate) struct Options {
    what: String,
    calls: u64,
}

/// What is counted, and how that is described.
const COUNTED: [(&str, &str); 4] = [
    ("direct", "the function itself, in a loop"),
    ("settled", "a settled call of an annotated function"),
    ("closure", "a settled call by `spawn_adaptive`"),
    ("bridge", "an offloaded call: submitted, run, its result given up"),
];

#[loom::compute(hint = "low")]
fn annotated(n: u64) -> u64 {
    next(n)
}

#[inline(never)]
fn next(n: u64) -> u64 {
    black_box(n).wrapping_add(1)
}

/// Makes so many calls, under whatever watches.
pub(crate) fn sample(options: &Options) -> Result<(), Box<dyn Error>> {
    let Options { what, calls } = options;
    let runtime = LoomBuilder::new().tokio_threads(2).rayon_threads(1).build()?;
    match &**what {
        "bridge" => bridge(&runtime, *calls),
        "direct" | "settled" | "closure" => {
            let (what, calls) = (what.clone(), *calls);
            let task = runtime.spawn_async(async move {
                let mut sum = 0_u64;
                for n in 0..calls {
                    sum = sum.wrapping_add(match &*what {
                        "settled" => annotated(n).await,
                        "closure" => {
                            loom::spawn_adaptive_with_hint(ComputeHint::Low, move || next(n)).await
                        }
                        _ => next(n),
                    });
                }
                black_box(sum)
            });
            runtime.block_on(task)?;
        }
        other => return Err(format!("nothing is called `{other}`").into()),
    }
    Ok(())
}

/// Batches that wait for the one compute thread, so that it never looks for work in vain.
fn bridge(runtime: &LoomRuntime, calls: u64) {
    const BATCH: u64 = 500;
    for _ in 0..calls / BATCH {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let busy = runtime.spawn_compute(move || held.recv().is_err());
        for n in 0..BATCH {
            runtime.spawn_compute(move || next(n)).detach();
        }
        drop(release);
        runtime.block_on(busy);
        let last = runtime.spawn_compute(|| ());
        runtime.block_on(last);
    }
}

/// A table of instructions a call, where valgrind is.
pub(crate) fn add(report: &mut Report, quick: bool) -> Result<(), Box<dyn Error>> {
    let is_here = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !is_here.is_ok_and(|status| status.success()) {
        report.say("Instructions were not counted: valgrind is not installed.");
        return Ok(());
    }
    let calls = if quick { 20_000 } else { 200_000 };
    let mut table = Table::new(1, ["", "instructions a call"]);
    let mut data = serde_json::Map::new();
    for (what, described) in COUNTED {
        // What starting and ending take is in both.
        let (few, many) = (count(what, calls)?, count(what, 3 * calls)?);
        #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
        let each = many.saturating_sub(few) as f64 / (2 * calls) as f64;
        table.row([described.to_owned(), figure(each, 0)]);
        data.insert(what.to_owned(), each.into());
    }
    report.say(
        "Counted by callgrind, of all threads together; the same from run to run, where times are \
         not.",
    );
    report.table(&table);
    report.data("instructions", data);
    Ok(())
}

/// Instructions of the whole program.
fn count(what: &str, calls: u64) -> Result<u64, Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("loom-bench-{}.callgrind", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--fair-sched=yes"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["instructions", what, &calls.to_string()])
        .status()?;
    let text = fs::read_to_string(&file);
    // Whatever came of it.
    let _ = fs::remove_file(&file);
    if !status.success() {
        return Err(format!("valgrind failed on `{what}`: {status}").into());
    }
    let text = text?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind says no total")?.trim().parse()?)
}
