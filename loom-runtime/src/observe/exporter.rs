//! Exports the metrics of a runtime, its functions and its plug-ins to a Prometheus registry.

use std::collections::BTreeMap;

use prometheus::Registry;
use prometheus::core::Collector;

use crate::core::Core;
use crate::metrics::{Exported, Histogram, Sample, Value, prefix};

use super::families::FAMILIES;
use super::far_samples;
use super::functions::{FunctionStats, of_core};
use super::metrics::{LoomMetrics, Reading};
use super::registries::Registries;
use super::slow_polls::of_polls;

/// The sum of functions with the same labels: closures of one type with different hints, and
/// functions with the same key.
struct MergedFunctions {
    calls: [u64; 2],
    outcomes: [u64; 5],
    run_times: Histogram,
    queue_waits: Histogram,
    limit_waits: Histogram,
}

const ARMS: [&str; 2] = ["inline", "offload"];
const OUTCOMES: [&str; 5] = ["done", "panicked", "abandoned", "refused", "expired"];

impl MergedFunctions {
    fn of(function: FunctionStats) -> Self {
        let FunctionStats { inline, offloaded, returned, .. } = function;
        let FunctionStats { panicked, abandoned, refused, expired, .. } = function;
        Self {
            calls: [inline, offloaded],
            outcomes: [returned, panicked, abandoned, refused, expired],
            run_times: function.run_times,
            queue_waits: function.queue_waits,
            limit_waits: function.limit_waits,
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
        self.limit_waits.merge(&other.limit_waits);
    }
}

fn samples_of_places(core: &Core) -> [Vec<Sample>; 2] {
    let mut samples = <[Vec<_>; 2]>::default();
    for slow in of_polls(&core.slow_polls) {
        let labels = || vec![slow.to_string()];
        let longest = Value::Number(slow.longest.as_secs_f64());
        samples[1].push(Sample { labels: labels(), value: longest });
        samples[0].push(Sample { labels: labels(), value: Value::Histogram(slow.times) });
    }
    samples
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(n: u64) -> Value {
    Value::Number(n as f64)
}

impl LoomMetrics {
    /// Registers all metrics of the runtime, its functions and its plug-ins with `registry`. When
    /// the runtime ends, its metrics leave the registry, so that a later runtime may have the same
    /// prefix. This type still has the last values.
    ///
    /// Each field of this type is a metric; a counter's name ends in `_total`, and `total_spawns` is
    /// `spawns_total`. Names that a counter had without `_total` stay for one release. In addition:
    ///
    /// - the histogram `queue_wait_seconds`;
    /// - for each function, with the labels `function` and `size`: `function_calls_total` by `arm`,
    ///   `function_outcomes_total` by `outcome` (`done`, `panicked`, `abandoned`, `refused`, `expired`), and
    ///   the histograms `function_run_seconds`, `function_queue_wait_seconds` and, of calls that waited for
    ///   `max_concurrent`, `function_limit_wait_seconds`;
    /// - with the feature `fleet`, for each function with calls that went to other processes:
    ///   `function_far_calls_total` by `outcome` (`done`, `refused`, `lost`, `expired`, `panicked`, `abandoned`), and the
    ///   histograms `function_far_wait_seconds` and `function_far_way_seconds`;
    /// - for each place with slow polls, with the label `place`: the histogram `slow_poll_seconds` and the
    ///   gauge `slow_poll_longest_seconds`;
    /// - for each plug-in, with the label `plugin`: `plugin_tasks`, `plugin_spawned_total`,
    ///   `plugin_compute_in_flight`, `plugin_compute_run_total` and `plugin_panics_total`.
    ///
    /// Below `#[loom::main]`, register the metrics of `loom::current_runtime()`. The version of the
    /// crate `prometheus` has to be 0.14.
    ///
    /// Names begin with the runtime's `prefix`; characters that are not allowed in metric names
    /// become `_`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = loom::LoomBuilder::new().prefix("shop").build()?;
    /// let registry = prometheus::Registry::new();
    /// runtime.prometheus_metrics().register(&registry)?;
    /// runtime.block_on(runtime.spawn_adaptive(|| 6 * 7));
    /// let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather())?;
    /// assert!(text.contains("shop_spawns_total 0\n"));
    /// assert!(text.contains("# TYPE shop_function_run_seconds histogram\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AlreadyReg`](prometheus::Error::AlreadyReg) if the registry already has metrics with these
    /// names: give each runtime of a process its own `prefix` or its own registry.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(self.exported()?)?;
        self.registries.add(registry);
        Ok(())
    }

    fn exported(&self) -> prometheus::Result<Box<dyn Collector>> {
        let metrics = Self { registries: Registries::default(), ..self.clone() };
        let exported = Exported::new(&prefix(&self.prefix), &FAMILIES, move || metrics.samples())?;
        Ok(Box::new(exported))
    }

    /// Takes the metrics out of every registry that has them.
    pub(crate) fn leave_registries(&self) {
        for registry in self.registries.take() {
            // Metrics of the same names are found, whichever object describes them. An error says
            // that the program has taken them out itself.
            let _ = self.exported().and_then(|exported| registry.unregister(exported));
        }
    }

    /// The samples of each family, in the order of [`FAMILIES`].
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
            counter(&self.priority_changes),
            gauge(&self.spare_threads),
            number(&self.cpu_budget),
            counter(&self.cpu_budget_changes),
            counter(&self.throttled_periods),
            counter(&self.inherited_idle),
            counter(&self.gr0_activations),
            counter(&self.gr1_activations),
            counter(&self.gr2_activations),
            counter(&self.gr3_activations),
            counter(&self.gr4_activations),
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
        samples.extend(far_samples::of_core(&self.core));
        samples.extend(samples_of_places(&self.core));
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
    #[expect(clippy::unused_self, reason = "the form with the feature uses it")]
    fn samples_of_plugins(&self) -> [Vec<Sample>; 5] {
        [const { Vec::new() }; 5]
    }

    fn samples_of_functions(&self) -> [Vec<Sample>; 5] {
        let mut functions: BTreeMap<[String; 2], MergedFunctions> = BTreeMap::new();
        for function in of_core(&self.core) {
            let sizes = function.sizes.as_ref();
            let size = sizes.map(|sizes| format!("{} to {}", sizes.start(), sizes.end()));
            let labels = [function.name.to_owned(), size.unwrap_or_default()];
            let merged = MergedFunctions::of(function);
            if let Some(before) = functions.get_mut(&labels) {
                before.merge(&merged);
            } else {
                functions.insert(labels, merged);
            }
        }
        let mut samples = [const { Vec::new() }; 5];
        let [calls, outcomes, run_times, queue_waits, limit_waits] = &mut samples;
        for (labels, function) in functions {
            let labelled = |more: &str| labels.iter().cloned().chain([more.to_owned()]).collect();
            calls.extend(
                ARMS.iter()
                    .zip(function.calls)
                    .map(|(arm, n)| Sample { labels: labelled(arm), value: count(n) }),
            );
            outcomes.extend(
                OUTCOMES
                    .iter()
                    .zip(function.outcomes)
                    .map(|(outcome, n)| Sample { labels: labelled(outcome), value: count(n) }),
            );
            let value = Value::Histogram(function.run_times);
            run_times.push(Sample { labels: labels.to_vec(), value });
            let value = Value::Histogram(function.queue_waits);
            queue_waits.push(Sample { labels: labels.to_vec(), value });
            if function.limit_waits.count() > 0 {
                let value = Value::Histogram(function.limit_waits);
                limit_waits.push(Sample { labels: labels.to_vec(), value });
            }
        }
        samples
    }
}
