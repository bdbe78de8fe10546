//! The requests that the load sends and their times, and the figures that it reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::statistics::Random;

/// The mixture of requests: the cost in microseconds, and how many of 100 requests have it.
const MIX: [(u64, u64); 4] = [(10, 60), (100, 25), (1_000, 10), (5_000, 5)];
/// The same of one function with inputs of two sizes.
const TWO: [(u64, u64); 2] = [(20, 85), (2_000, 15)];
/// The highest cost of a request that counts as cheap, in microseconds.
const CHEAP: u64 = 100;

#[derive(clap::Args)]
pub(crate) struct LoadOptions {
    #[arg(long)]
    pub(super) port: u16,
    #[arg(long)]
    seed: u64,
    /// Fast requests a second.
    #[arg(long)]
    fast: f64,
    /// Requests a second to the route that computes.
    #[arg(long)]
    slow: f64,
    /// The cost of such a request in microseconds; without it, a mixture.
    #[arg(long)]
    micros: Option<u64>,
    /// A mixture of two sizes.
    #[arg(long)]
    two: bool,
    /// The path of fast requests.
    #[arg(long, default_value = "/fast")]
    fast_path: String,
    /// The path of the other requests, which are a `POST` of `body`, in place of the routes of the
    /// bench's own service.
    #[arg(long, requires = "body")]
    post: Option<String>,
    /// The JSON body of these requests.
    #[arg(long)]
    body: Option<String>,
    /// Wait for every answer, not only for those of fast requests.
    #[arg(long)]
    pub(super) finish: bool,
    /// Seconds before requests count.
    #[arg(long)]
    pub(super) warm_up: f64,
    /// Seconds that count.
    #[arg(long)]
    pub(super) seconds: f64,
}

/// The figures: latencies in microseconds, from the time at which requests were due.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) fast_p50: f64,
    pub(crate) fast_p90: f64,
    pub(crate) fast_p99: f64,
    pub(crate) fast_p999: f64,
    pub(crate) slow_p50: f64,
    pub(crate) slow_p99: f64,
    /// The latencies of cheap requests among the slow ones.
    pub(crate) cheap_p50: f64,
    pub(crate) cheap_p99: f64,
    /// Answers a second of the route that computes.
    pub(crate) slow_rate: f64,
    /// Those of them that came within 200 ms.
    pub(crate) in_time_rate: f64,
    /// Requests that were answered 503.
    pub(crate) refused: usize,
    /// Requests without an answer in time, and those that failed.
    pub(crate) unanswered: usize,
    /// How late the load sent requests.
    pub(crate) late_p99: f64,
    /// CPU time of the load, in ticks.
    pub(crate) ticks: u64,
}

/// One request.
pub(super) struct Due {
    pub(super) at: Duration,
    pub(super) request: Vec<u8>,
    pub(super) is_fast: bool,
    pub(super) is_cheap: bool,
}

/// Arrivals of two independent Poisson processes, in order.
pub(super) fn schedule(options: &LoadOptions) -> Vec<Due> {
    let end = options.warm_up + options.seconds;
    let mut random = Random::new(options.seed);
    let mut due = Vec::new();
    for (rate, is_fast) in [(options.fast, true), (options.slow, false)] {
        let mut at = 0.0;
        if rate <= 0.0 {
            continue;
        }
        loop {
            at -= (1.0 - random.fraction()).ln() / rate;
            if at >= end {
                break;
            }
            let (path, is_cheap) = if is_fast {
                (options.fast_path.clone(), false)
            } else {
                slow_path(options, &mut random)
            };
            let request = match (&options.post, &options.body) {
                (Some(post), Some(body)) if !is_fast => format!(
                    "POST {post} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                ),
                _ => format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            };
            let request = request.into_bytes();
            due.push(Due { at: Duration::from_secs_f64(at), request, is_fast, is_cheap });
        }
    }
    due.sort_by_key(|due| due.at);
    due
}

/// The path of a request that computes, and whether the request is cheap.
fn slow_path(options: &LoadOptions, random: &mut Random) -> (String, bool) {
    if let Some(micros) = options.micros {
        return (format!("/heavy/{micros}"), false);
    }
    let (route, mix) = if options.two { ("two", &TWO[..]) } else { ("mixed", &MIX[..]) };
    let mut drawn = random.next() % 100;
    for &(micros, share) in mix {
        if drawn < share {
            return (format!("/{route}/{micros}"), micros <= CHEAP);
        }
        drawn -= share;
    }
    unreachable!("the shares come to 100")
}
