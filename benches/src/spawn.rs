//! The cost that tracking adds to a task: `spawn_async` beside `tokio::spawn`, on one runtime.

use std::hint::black_box;
use std::time::Instant;

use loom::{LoomBuilder, LoomRuntime};

use crate::allocations;
use crate::report::{Bar, Report, Table, figure};
use crate::statistics::{Estimate, median};

/// Nanoseconds and allocations per task.
struct Cost {
    nanos: f64,
    allocations: f64,
}

pub(crate) fn add(report: &mut Report, quick: bool) {
    let (rounds, tasks) = if quick { (3, 2_000) } else { (31, 100_000) };
    let runtime = LoomBuilder::new().build().expect("loom starts");
    let (mut tokio, mut loom, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    let mut allocations = (0.0, 0.0);
    for round in 0..=rounds {
        let plain = measure(&runtime, tasks, false);
        let tracked = measure(&runtime, tasks, true);
        if round > 0 {
            extra.push(tracked.nanos - plain.nanos);
            tokio.push(plain.nanos);
            loom.push(tracked.nanos);
            allocations = (plain.allocations, tracked.allocations);
        }
    }
    let estimate = Estimate::of(&extra);
    let Estimate { median: more, low, high, .. } = estimate;
    report.say(&format!(
        "Spawning and awaiting a task, medians of {rounds} interleaved rounds in one process."
    ));
    let mut table = Table::new(1, ["", "ns a task", "allocations"]);
    for (name, nanos, allocations) in [
        ("tokio::spawn", &mut tokio, allocations.0),
        ("loom spawn_async", &mut loom, allocations.1),
    ] {
        table.row([name.to_owned(), figure(median(nanos), 0), figure(allocations, 2)]);
    }
    report.table(&table);
    report.say(&format!(
        "`spawn_async` takes {more:.0} ns more than `tokio::spawn` within a round, 95 % interval {low:.0} to \
         {high:.0}; at most 10 was aimed at: {}.",
        Bar::AtMost(10.0).verdict(estimate)
    ));
    report.data("spawn_extra_ns", [more, low, high]);
}

fn measure(runtime: &LoomRuntime, tasks: usize, is_tracked: bool) -> Cost {
    let of_task = runtime.clone();
    let work = async move {
        let before = allocations::count();
        let started = Instant::now();
        for _ in 0..tasks {
            let task = async { black_box(1_u64) };
            let task = if is_tracked { of_task.spawn_async(task) } else { tokio::spawn(task) };
            black_box(task.await.expect("it does not panic"));
        }
        #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
        let cost = Cost {
            nanos: started.elapsed().as_nanos() as f64 / tasks as f64,
            allocations: (allocations::count() - before) as f64 / tasks as f64,
        };
        cost
    };
    let task = runtime.tokio_handle().spawn(work);
    runtime.block_on(task).expect("it does not panic")
}
