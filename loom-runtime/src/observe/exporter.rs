//! The metrics in a Prometheus registry: those of the runtime, and those of each function.

use std::collections::BTreeMap;

use prometheus::Registry;

use crate::metrics::{Exported, Family, Histogram, Kind, Sample, Value, prefix};

use super::functions::{FunctionStats, of_core};
use super::metrics::{LoomMetrics, Reading};

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, help, labels: &[], kind }
}

const fn of_function(
    labels: &'static [&'static str],
    name: &'static str,
    kind: Kind,
    help: &'static str,
) -> Family {
    Family { name, help, labels, kind }
}

/// A function, and its class of input sizes where the attribute gives a size.
const FUNCTION: &[&str] = &["function", "size"];
const PLUGIN: &[&str] = &["plugin"];
const ARM: &[&str] = &["function", "size", "arm"];
const OUTCOME: &[&str] = &["function", "size", "outcome"];

/// In the order in which they are read below.
static FAMILIES: [Family; 31] = {
    use Kind::{Counter, Gauge};
    [
        family("inflight_tasks", Gauge, "Tracked async tasks and blocking functions in flight"),
        family("local_tasks", Gauge, "Those of them that are on local cores"),
        family("rayon_queue_depth", Gauge, "Compute calls that wait for a thread"),
        family("spawn_rate", Gauge, "Tracked async tasks spawned a second"),
        family("pressure_index", Gauge, "Tasks taken to be ready behind each I/O worker, 0 to 10"),
        family("total_spawns", Counter, "Tracked async tasks spawned"),
        family(
            "starvation_events",
            Counter,
            "Tenths of a second in which a compute thread had work and got no CPU",
        ),
        family("gr0_activations", Counter, "Calls offloaded for there being one I/O worker"),
        family("gr1_activations", Counter, "Calls offloaded for blocking too long"),
        family("gr2_activations", Counter, "Calls offloaded for blocking too long under pressure"),
        family("gr3_activations", Counter, "Calls offloaded for having blocked far too long"),
        family("inline_decisions", Counter, "Calls of functions that ran inline"),
        family("offload_decisions", Counter, "Calls of functions that were offloaded"),
        family("compute_run_total", Counter, "Compute calls that a thread has run to their end"),
        family("compute_in_flight", Gauge, "Compute calls submitted and not ended"),
        family("compute_panics_total", Counter, "Compute calls that panicked"),
        family("compute_abandoned_total", Counter, "Compute calls given up by their caller"),
        family("compute_refused_total", Counter, "Compute calls refused by a full queue"),
        family("compute_wakes_total", Counter, "Times a compute thread was fetched"),
        family("requests_shed_total", Counter, "Requests answered by load shedding"),
        family(
            "bridge_overhead_seconds",
            Gauge,
            "What the way to the compute pool and back is taken to cost",
        ),
        family(
            "queue_wait_seconds",
            Kind::Histogram,
            "How long compute calls waited for a thread, of those that were timed",
        ),
        of_function(ARM, "function_calls_total", Counter, "Calls of a function, by where they ran"),
        of_function(OUTCOME, "function_outcomes_total", Counter, "Calls of a function that ended"),
        of_function(
            FUNCTION,
            "function_run_seconds",
            Kind::Histogram,
            "How long a function took, of the calls that were timed",
        ),
        of_function(
            FUNCTION,
            "function_queue_wait_seconds",
            Kind::Histogram,
            "How long offloaded calls of a function waited for a thread",
        ),
        of_function(PLUGIN, "plugin_tasks", Gauge, "A plug-in's work that has not ended"),
        of_function(PLUGIN, "plugin_spawned_total", Counter, "Tasks that a plug-in spawned"),
        of_function(PLUGIN, "plugin_compute_in_flight", Gauge, "A plug-in's calls not ended"),
        of_function(PLUGIN, "plugin_compute_run_total", Counter, "A plug-in's calls that ended"),
        of_function(PLUGIN, "plugin_panics_total", Counter, "A plug-in's work that panicked"),
    ]
};

/// The sum of functions that share their labels: closures of one type with different hints, and
/// functions with the same key.
struct MergedFunctions {
    calls: [u64; 2],
    outcomes: [u64; 4],
    run_times: Histogram,
    queue_waits: Histogram,
}

const ARMS: [&str; 2] = ["inline", "offload"];
const OUTCOMES: [&str; 4] = ["done", "panicked", "abandoned", "refused"];

impl MergedFunctions {
    fn of(function: FunctionStats) -> Self {
        let FunctionStats { inline, offloaded, returned, panicked, abandoned, refused, .. } =
            function;
        Self {
            calls: [inline, offloaded],
            outcomes: [returned, panicked, abandoned, refused],
            run_times: function.run_times,
            queue_waits: function.queue_waits,
        }
    }

    fn merge(&mut self, other: &Self) {
        let add = |to: &mut [u64], from: &[u64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut self.calls, &other.calls);
        add(&mut self.outcomes, &other.outcomes);
        self.run_times.merge(&other.run_times);
        self.queue_waits.merge(&other.queue_waits);
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(n: u64) -> Value {
    Value::Number(n as f64)
}

impl LoomMetrics {
    /// Registers all of them, and those of each function, with `registry`. What is registered
    /// stays readable after the runtime has ended, at its last values.
    ///
    /// Beside the fields of this type there are the histogram `queue_wait_seconds`, and of each
    /// function, with the labels `function` and `size`: `function_calls_total` by `arm`,
    /// `function_outcomes_total` by `outcome` (`done`, `panicked`, `abandoned`, `refused`), and the
    /// histograms `function_run_seconds` and `function_queue_wait_seconds`.
    /// Of each plug-in, with the label `plugin`: `plugin_tasks`, `plugin_spawned_total`,
    /// `plugin_compute_in_flight`, `plugin_compute_run_total` and `plugin_panics_total`.
    /// Below `#[loom::main]`, register what `loom::current_runtime()` has. The crate `prometheus`
    /// has to be of version 0.14.
    ///
    /// Names begin with the runtime's `prefix`, in which characters that metrics cannot have
    /// become `_`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = loom::LoomBuilder::new().prefix("shop").build()?;
    /// let registry = prometheus::Registry::new();
    /// runtime.prometheus_metrics().register(&registry)?;
    /// runtime.block_on(runtime.spawn_adaptive(|| 6 * 7));
    /// let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather())?;
    /// assert!(text.contains("shop_total_spawns 0\n"));
    /// assert!(text.contains("# TYPE shop_function_run_seconds histogram\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AlreadyReg`](prometheus::Error::AlreadyReg) where the registry has metrics of such names:
    /// give each runtime of a process a `prefix` of its own, or a registry.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let metrics = self.clone();
        let exported = Exported::new(&prefix(&self.prefix), &FAMILIES, move || metrics.samples())?;
        registry.register(Box::new(exported))
    }

    /// Of each family.
    fn samples(&self) -> Vec<Vec<Sample>> {
        let one = |value| vec![Sample { labels: Vec::new(), value }];
        let counter = |reading: &Reading<u64>| one(count(reading.get()));
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        let gauge = |reading: &Reading<i64>| one(Value::Number(reading.get() as f64));
        let number = |reading: &Reading<f64>| one(Value::Number(reading.get()));
        let waits = self.core.counters.queue_waits.snapshot();
        let mut samples = vec![
            gauge(&self.inflight_tasks),
            gauge(&self.local_tasks),
            gauge(&self.rayon_queue_depth),
            number(&self.spawn_rate),
            number(&self.pressure_index),
            counter(&self.total_spawns),
            counter(&self.starvation_events),
            counter(&self.gr0_activations),
            counter(&self.gr1_activations),
            counter(&self.gr2_activations),
            counter(&self.gr3_activations),
            counter(&self.inline_decisions),
            counter(&self.offload_decisions),
            counter(&self.compute_run),
            gauge(&self.compute_in_flight),
            counter(&self.compute_panics),
            counter(&self.compute_abandoned),
            counter(&self.compute_refused),
            counter(&self.compute_wakes),
            counter(&self.requests_shed),
            number(&self.bridge_overhead),
            one(Value::Histogram(waits)),
        ];
        samples.extend(self.samples_of_functions());
        samples.extend(self.samples_of_plugins());
        samples
    }

    #[cfg(feature = "plugin-host")]
    fn samples_of_plugins(&self) -> [Vec<Sample>; 5] {
        let extension = self.core.extension.get();
        let plugins = extension.map(|extension| extension.figures()).unwrap_or_default();
        std::array::from_fn(|family| {
            let sample = |(name, figures): (&String, &[u64; 5])| Sample {
                labels: vec![name.clone()],
                value: count(figures[family]),
            };
            plugins.iter().map(sample).collect()
        })
    }

    #[cfg(not(feature = "plugin-host"))]
    #[expect(clippy::unused_self, reason = "the other form looks at it")]
    fn samples_of_plugins(&self) -> [Vec<Sample>; 5] {
        [const { Vec::new() }; 5]
    }

    fn samples_of_functions(&self) -> [Vec<Sample>; 4] {
        let mut functions: BTreeMap<[String; 2], MergedFunctions> = BTreeMap::new();
        for function in of_core(&self.core) {
            let sizes = function.sizes.as_ref();
            let size = sizes.map(|of| format!("{} to {}", of.start(), of.end()));
            let labels = [function.name.to_owned(), size.unwrap_or_default()];
            let together = MergedFunctions::of(function);
            if let Some(before) = functions.get_mut(&labels) {
                before.merge(&together);
            } else {
                functions.insert(labels, together);
            }
        }
        let mut samples = [const { Vec::new() }; 4];
        let [calls, outcomes, run_times, queue_waits] = &mut samples;
        for (labels, of) in functions {
            let labelled = |more: &str| labels.iter().cloned().chain([more.to_owned()]).collect();
            calls.extend(
                ARMS.iter()
                    .zip(of.calls)
                    .map(|(arm, n)| Sample { labels: labelled(arm), value: count(n) }),
            );
            outcomes.extend(
                OUTCOMES
                    .iter()
                    .zip(of.outcomes)
                    .map(|(outcome, n)| Sample { labels: labelled(outcome), value: count(n) }),
            );
            let value = Value::Histogram(of.run_times);
            run_times.push(Sample { labels: labels.to_vec(), value });
            let value = Value::Histogram(of.queue_waits);
            queue_waits.push(Sample { labels: labels.to_vec(), value });
        }
        samples
    }
}
