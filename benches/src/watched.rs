//! What watching a poll costs: an observed future beside a plain one.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::LoomBuilder;

use crate::report::{Bar, Report, Table, figure};
use crate::statistics::{Estimate, median};

/// What watching may add to a poll, in nanoseconds.
const MORE: Bar = Bar::AtMost(10.0);

pub(crate) fn add(report: &mut Report, quick: bool) {
    let (rounds, polls) = if quick { (3, 10_000) } else { (31, 1_000_000) };
    let runtime = LoomBuilder::new().build().expect("loom starts");
    let (mut plain, mut observed, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        for round in 0..=rounds {
            let alone = nanos_a_poll(polls, endless());
            let watched = nanos_a_poll(polls, loom::observe("bench", endless()));
            if round > 0 {
                extra.push(watched - alone);
                plain.push(alone);
                observed.push(watched);
            }
        }
    });
    let estimate = Estimate::of(&extra);
    let Estimate { median: more, low, high, .. } = estimate;
    report.say(&format!(
        "A poll that does nothing, medians of {rounds} interleaved rounds in one process."
    ));
    let mut table = Table::new(1, ["", "ns a poll"]);
    for (name, nanos) in [("plain poll", &mut plain), ("observed poll", &mut observed)] {
        table.row([name.to_owned(), figure(median(nanos), 1)]);
    }
    report.table(&table);
    report.say(&format!(
        "An observed poll takes {more:.1} ns more than a plain one within a round, 95 % interval {low:.1} to \
         {high:.1}; at most 10 was aimed at: {}.",
        MORE.verdict(estimate)
    ));
    report.data("watched_extra_ns", [more, low, high]);
}

/// Never ready.
fn endless() -> impl Future<Output = ()> {
    poll_fn(|_| black_box(Poll::Pending))
}

fn nanos_a_poll(polls: u32, future: impl Future<Output = ()>) -> f64 {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || {
        black_box(future.as_mut().poll(&mut cx)).is_ready();
    };
    // The first polls of a place are timed.
    (0..100).for_each(|_| poll());
    let started = Instant::now();
    (0..polls).for_each(|_| poll());
    started.elapsed().as_secs_f64() * 1e9 / f64::from(polls)
}
