//! Converts families and their samples to the types of the `prometheus` crate.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as Counted, LabelPair, Metric, MetricFamily, MetricType,
};

use super::family::{Family, Kind, Sample, Value};
use super::histogram::Histogram;

/// The edges of the exported buckets, as exponents of two in nanoseconds: every second power, from
/// about a microsecond to about 17 seconds. [`Histogram`] has edges at the same powers.
const EDGES: [u32; 13] = [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34];

/// A collector that reads all samples each time the registry gathers them.
pub(crate) struct Exported<F> {
    /// The families; `descriptions` and samples are in the same order.
    families: &'static [Family],
    descriptions: Vec<Desc>,
    /// Which families have an old name, too.
    old: Vec<(usize, Desc)>,
    /// Reads the samples of each family.
    read: F,
}

impl<F> Exported<F> {
    pub(crate) fn new(
        prefix: &str,
        families: &'static [Family],
        read: F,
    ) -> prometheus::Result<Self> {
        let describe = |family: &Family, name: &str, help: String| {
            let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(format!("{prefix}_{name}"), help, labels, HashMap::new())
        };
        let new = |family: &Family| describe(family, family.name, family.help.to_owned());
        let descriptions = families.iter().map(new).collect::<Result<_, _>>()?;
        let old = |(at, family): (usize, &Family)| {
            let help = format!("The old name of {prefix}_{}, for one release", family.name);
            Some(describe(family, family.old_name?, help).map(|description| (at, description)))
        };
        let old = families.iter().enumerate().filter_map(old).collect::<Result<_, _>>()?;
        Ok(Self { families, descriptions, old, read })
    }
}

impl<F> Collector for Exported<F>
where
    F: Fn() -> Vec<Vec<Sample>> + Send + Sync,
{
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().chain(self.old.iter().map(|(_, old)| old)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let described = self.families.iter().zip(&self.descriptions).zip((self.read)());
        let exported = described.map(|((family, description), samples)| {
            let mut exported = MetricFamily::default();
            exported.set_field_type(match family.kind {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
                Kind::Histogram => MetricType::HISTOGRAM,
            });
            let samples = samples.into_iter();
            exported.set_metric(samples.map(|sample| metric(family, sample)).collect());
            named(exported, description)
        });
        let mut exported: Vec<MetricFamily> = exported.collect();
        let old = self.old.iter().map(|(at, old)| named(exported[*at].clone(), old));
        exported.extend(old.collect::<Vec<_>>());
        // A registry refuses families without a sample.
        exported.retain(|family| !family.get_metric().is_empty());
        exported
    }
}

fn named(mut family: MetricFamily, description: &Desc) -> MetricFamily {
    family.set_name(description.fq_name.clone());
    family.set_help(description.help.clone());
    family
}

fn metric(family: &Family, Sample { labels, value }: Sample) -> Metric {
    let label = |(name, value): (&&str, String)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value(value);
        label
    };
    let mut metric = Metric::default();
    metric.set_label(family.labels.iter().zip(labels).map(label).collect());
    match value {
        Value::Histogram(histogram) => metric.set_histogram(counted(&histogram)),
        Value::Number(number) if family.kind == Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(number);
            metric.set_counter(counter);
        }
        Value::Number(number) => {
            let mut gauge = Gauge::default();
            gauge.set_value(number);
            metric.set_gauge(gauge);
        }
    }
    metric
}

fn counted(histogram: &Histogram) -> Counted {
    let bucket = |exponent: &u32| {
        let edge = Duration::from_nanos(1 << exponent);
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(edge.as_secs_f64());
        bucket.set_cumulative_count(histogram.within(edge));
        bucket
    };
    let mut counted = Counted::default();
    counted.set_bucket(EDGES.iter().map(bucket).collect());
    counted.set_sample_count(histogram.count());
    counted.set_sample_sum(histogram.sum().as_secs_f64());
    counted
}
