//! Instruction counts by callgrind, which are the same in every run on one kind of machine.

use std::collections::BTreeSet;
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

/// What is counted, and its description in the table.
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

/// Makes the calls that callgrind counts.
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

/// Batches that wait for the one compute thread, so that the thread always finds work.
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

/// A table of instructions per call, if valgrind is installed.
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
        // The difference cancels the cost of start and end, which both counts contain.
        let (few, many) = (count(what, calls)?, count(what, 3 * calls)?);
        #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
        let each = many.saturating_sub(few) as f64 / (2 * calls) as f64;
        table.row([described.to_owned(), figure(each, 0)]);
        data.insert(what.to_owned(), each.into());
    }
    report.say(
        "Instructions by callgrind, of all threads together, which vary far less from run to run \
         than times; of settled calls without the looks at what is known, which come with time.",
    );
    report.table(&table);
    report.data("instructions", data);
    Ok(())
}

/// Instructions of the whole program, except those of measured calls. Measured calls happen at
/// intervals of time, and callgrind slows the program down, so there are many more of them per
/// instruction than in an ordinary run.
fn count(what: &str, calls: u64) -> Result<u64, Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("loom-bench-{}.callgrind", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--fair-sched=yes"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["instructions", what, &calls.to_string()])
        .status()?;
    let text = fs::read_to_string(&file);
    // Removed whether or not the run succeeded.
    let _ = fs::remove_file(&file);
    if !status.success() {
        return Err(format!("valgrind failed on `{what}`: {status}").into());
    }
    let text = text?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: u64 = total.ok_or("callgrind says no total")?.trim().parse()?;
    Ok(total.saturating_sub(within(&text, "loom::call::adaptive::place_work")))
}

/// Instructions of all calls of a function, including its callees. In callgrind's format, one line
/// names the callee (only by its number after the first time), the next states how often it is
/// called, and the third states the cost.
fn within(text: &str, function: &str) -> u64 {
    let mut own = BTreeSet::new();
    let mut is_own = false;
    let mut cost = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(named) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, name) = named.split_once(' ').unwrap_or((named, ""));
            if name.starts_with(function) {
                own.insert(number);
            }
            is_own = line.starts_with('c') && own.contains(number);
        } else if line.starts_with("calls=") && is_own {
            let spent = lines.next().and_then(|line| line.rsplit(' ').next());
            cost += spent.and_then(|spent| spent.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn what_a_function_costs_is_read_from_its_calls() {
        let text = "fn=(1) main\n0 5\ncfn=(2) a::place\ncalls=3 0\n0 30\nfn=(2)\n0 20\n\
                    cfn=(3) b\ncalls=1 0\n0 10\nfn=(4) c\ncfn=(2)\ncalls=1 0\n0 12\n";
        assert_eq!(within(text, "a::place"), 42);
        assert_eq!(within(text, "x"), 0);
    }
}
