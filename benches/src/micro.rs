//! What one call costs: from one task at a time, and from 64 at once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use loom::ComputeHint;

use crate::allocations;
use crate::contenders::{
    Contender, Inline, LoomAdaptive, LoomCompute, RayonOneshot, SpawnBlocking, TokioRayon,
};
use crate::statistics::median;

const CALLERS: usize = 64;

/// How much is measured.
struct Size {
    rounds: usize,
    lone_calls: usize,
    calls_each: usize,
}

/// One contender's samples, a row of the table.
struct Row {
    name: &'static str,
    offloads: bool,
    lone: Vec<f64>,
    crowd: Vec<f64>,
    allocations: Vec<f64>,
}

type Sample = Box<dyn Fn(&Size, &mut Row)>;

pub(crate) fn run(quick: bool) {
    let size = if quick {
        Size { rounds: 3, lone_calls: 2_000, calls_each: 100 }
    } else {
        Size { rounds: 15, lone_calls: 20_000, calls_each: 2_000 }
    };
    let mut contenders = [
        contender(Inline::new()),
        contender(SpawnBlocking::new()),
        contender(RayonOneshot::new()),
        contender(TokioRayon::new()),
        contender(LoomCompute::new()),
        contender(LoomAdaptive::new()),
    ];
    // Interleaved: what disturbs the machine for a while disturbs all of them.
    for round in 0..=size.rounds {
        for (row, sample) in &mut contenders {
            sample(&size, row);
        }
        if round == 0 {
            // Everything was started, allocated and learned in this one.
            for (row, _) in &mut contenders {
                row.lone.clear();
                row.crowd.clear();
                row.allocations.clear();
            }
        }
    }
    print(contenders.into_iter().map(|(row, _)| row).collect(), &size);
}

fn contender<C: Contender>(contender: C) -> (Row, Sample) {
    let row = Row {
        name: contender.name(),
        offloads: contender.offloads(),
        lone: Vec::new(),
        crowd: Vec::new(),
        allocations: Vec::new(),
    };
    let contender = Arc::new(contender);
    let sample = move |size: &Size, row: &mut Row| {
        let before = allocations::count();
        row.lone.push(nanos_a_call(&contender, 1, size.lone_calls));
        row.allocations.push(ratio(allocations::count() - before, size.lone_calls));
        row.crowd.push(nanos_a_call(&contender, CALLERS, size.calls_each));
    };
    (row, Box::new(sample))
}

/// Wall time divided by all calls made.
fn nanos_a_call<C: Contender>(contender: &Arc<C>, callers: usize, calls_each: usize) -> f64 {
    let tokio = contender.tokio();
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let contender = Arc::clone(contender);
            // Within a task: `block_on` would measure the wake-up of a foreign thread.
            tokio.spawn(async move {
                for _ in 0..calls_each {
                    black_box(contender.call(ComputeHint::Low, nothing).await);
                }
            })
        })
        .collect();
    for task in tasks {
        tokio.block_on(task).expect("no contender panics");
    }
    #[expect(clippy::cast_precision_loss, reason = "a time is read by people")]
    let nanos = started.elapsed().as_nanos() as f64;
    nanos / ratio((callers * calls_each) as u64, 1)
}

fn nothing() -> u64 {
    black_box(1)
}

fn ratio(a: u64, b: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (a, b) = (a as f64, b as f64);
    a / b
}

fn print(mut rows: Vec<Row>, size: &Size) {
    let best = |of: fn(&mut Row) -> &mut Vec<f64>, rows: &mut [Row]| {
        let peers = rows.iter_mut().filter(|row| row.offloads && !row.name.starts_with("loom"));
        peers.map(|row| median(of(row))).fold(f64::INFINITY, f64::min)
    };
    let best_lone = best(|row| &mut row.lone, &mut rows);
    let best_crowd = best(|row| &mut row.crowd, &mut rows);
    println!("Medians of {} interleaved rounds, 2 + 2 threads.", size.rounds);
    println!("Ratios are to the best peer that offloads.\n");
    println!(
        "| | from a task, ns | ratio | {CALLERS} callers, ns a call | ratio | allocations a call |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for row in &mut rows {
        let (lone, crowd) = (median(&mut row.lone), median(&mut row.crowd));
        println!(
            "| {} | {lone:.0} | {:.2} | {crowd:.0} | {:.2} | {:.2} |",
            row.name,
            lone / best_lone,
            crowd / best_crowd,
            median(&mut row.allocations),
        );
    }
}
