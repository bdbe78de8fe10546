//! The demo's table, in 80 columns.

use std::io::{self, Write};

use crate::ways::Way;

use super::summary::Summary;

/// Prints the runs, one for each way. False if a request failed.
pub(super) fn print(runs: &[Summary]) -> bool {
    // If no process reads standard output, the demo does not fail.
    let _ = write_to(runs, &mut io::stdout().lock());
    runs.iter().flat_map(|run| &run.routes).all(|route| route.failures.is_empty())
}

fn write_to(runs: &[Summary], out: &mut impl Write) -> io::Result<()> {
    let row = |out: &mut dyn Write, name: &str, cell: &dyn Fn(&Summary) -> String| {
        let cells =
            runs.iter().map(|run| format!("{:>19}", cell(run))).collect::<Vec<_>>().concat();
        writeln!(out, "{name:<22}{cells}")
    };
    let names = Way::ALL.map(|way| format!("{:>19}", way.name())).concat();
    writeln!(out, "\n{:<22}{names}", "")?;
    row(out, "time to answer, ms", &|_| format!("{:>9} {:>9}", "p50", "p99"))?;
    let routes = runs.first().map_or(0, |run| run.routes.len());
    for route in 0..routes {
        row(out, &runs[0].routes[route].name, &|run| {
            let of = &run.routes[route];
            format!("{:>9} {:>9}", millis(of.p50), millis(of.p99))
        })?;
    }
    writeln!(out)?;
    row(out, "answers a second", &|run| {
        let answers = run.routes.iter().map(|route| route.answers).sum();
        format!("{:.1}", rate(answers, run.seconds))
    })?;
    row(out, "turned away (503)", &|run| turned_away(run).to_string())?;
    row(out, "most memory", &|run| {
        run.memory.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
    })?;
    remarks(runs, out)
}

fn remarks(runs: &[Summary], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nThe same load and handlers, three times. `/health` computes nothing: its p99 is\n\
         what the other routes make it wait. Time counts from when a request was due.\n\
         The load shares the CPUs with the service. Only the Loom run sheds load (503).\n"
    )?;
    for function in runs.last().into_iter().flat_map(|run| &run.functions) {
        let mut parts = function.name.rsplit("::");
        let (name, module) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (inline, offloaded) = (function.inline, function.offloaded);
        writeln!(
            out,
            "Loom ran {module}::{name} {inline} times inline and offloaded it {offloaded} times."
        )?;
        if let Some(far) = &function.far {
            writeln!(out, "  {far}")?;
        }
    }
    writeln!(out, "To see it live, leave `--demo` out and open http://127.0.0.1:8080/loom.")?;
    let all: u32 = runs.iter().map(turned_away).sum();
    if all > 0 {
        writeln!(
            out,
            "{all} requests were turned away with 503, since compute calls would have\n\
             waited for longer than `--longest-wait`: the machine was busy."
        )?;
    }
    for route in runs.iter().flat_map(|run| &run.routes) {
        for (failure, count) in &route.failures {
            writeln!(out, "{}: {count} × {failure}", route.name)?;
        }
    }
    out.flush()
}

fn turned_away(run: &Summary) -> u32 {
    run.routes.iter().map(|route| route.turned_away).sum()
}

fn rate(count: usize, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
    let count = count as f64;
    count / seconds
}

fn millis(millis: Option<f64>) -> String {
    millis.map_or_else(|| "–".to_owned(), |millis| format!("{millis:.2}"))
}
