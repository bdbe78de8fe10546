//! The families of metrics that are exported: names, kinds, labels and help.

use crate::metrics::{Family, Kind};

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, help, labels: &[], kind, old_name: None }
}

const fn labelled_family(
    labels: &'static [&'static str],
    name: &'static str,
    kind: Kind,
    help: &'static str,
) -> Family {
    Family { name, help, labels, kind, old_name: None }
}

/// A counter whose name did not end in `_total` until the last release.
const fn renamed(old_name: &'static str, name: &'static str, help: &'static str) -> Family {
    Family { old_name: Some(old_name), ..family(name, Kind::Counter, help) }
}

/// A function, and its class of input sizes if the attribute states a size.
const FUNCTION: &[&str] = &["function", "size"];
const PLACE: &[&str] = &["place"];
const PLUGIN: &[&str] = &["plugin"];
const ARM: &[&str] = &["function", "size", "arm"];
const OUTCOME: &[&str] = &["function", "size", "outcome"];

/// The families, in the order in which `samples` reads their values.
pub(super) static FAMILIES: [Family; 44] = {
    use Kind::{Counter, Gauge};
    [
        family("inflight_tasks", Gauge, "Tracked async tasks and blocking functions in flight"),
        family("local_tasks", Gauge, "Tracked async tasks in flight on local cores"),
        family("rayon_queue_depth", Gauge, "Compute calls that wait for a thread"),
        family("spawn_rate", Gauge, "Tracked async tasks spawned per second"),
        family("pressure_index", Gauge, "Tasks assumed ready behind each I/O worker, 0 to 10"),
        renamed("total_spawns", "spawns_total", "Tracked async tasks spawned"),
        renamed(
            "starvation_events",
            "starvation_events_total",
            "Looks at which a compute thread had work and got no CPU",
        ),
        family(
            "priority_changes_total",
            Counter,
            "Times that compute work left the idle class or went back",
        ),
        family("spare_threads", Gauge, "Threads in the places of compute threads that wait"),
        family("cpu_budget", Gauge, "CPUs' time that the process may use"),
        family("cpu_budget_changes_total", Counter, "Changes of the CPUs or of the quota"),
        family(
            "throttled_periods_total",
            Counter,
            "Periods in which the process was stopped because its quota was used up",
        ),
        family(
            "inherited_idle_total",
            Counter,
            "Threads and processes that inherited the idle class",
        ),
        renamed(
            "gr0_activations",
            "gr0_activations_total",
            "Calls offloaded by GR0: only one I/O worker",
        ),
        renamed("gr1_activations", "gr1_activations_total", "Calls offloaded by GR1: too long"),
        renamed(
            "gr2_activations",
            "gr2_activations_total",
            "Calls offloaded by GR2: too long under pressure",
        ),
        renamed(
            "gr3_activations",
            "gr3_activations_total",
            "Calls offloaded by GR3: earlier calls far too long",
        ),
        renamed(
            "gr4_activations",
            "gr4_activations_total",
            "Calls offloaded by GR4: blocking, refused inline",
        ),
        renamed("inline_decisions", "inline_decisions_total", "Calls of functions that ran inline"),
        renamed(
            "offload_decisions",
            "offload_decisions_total",
            "Calls of functions that were offloaded",
        ),
        family("compute_run_total", Counter, "Compute calls that ran to their end"),
        family("compute_in_flight", Gauge, "Compute calls submitted and not ended"),
        family("compute_panics_total", Counter, "Compute calls that panicked"),
        family("compute_abandoned_total", Counter, "Compute calls abandoned by their caller"),
        family("compute_refused_total", Counter, "Compute calls refused by a full queue"),
        family("compute_wakes_total", Counter, "Times a compute thread was fetched for calls"),
        family("requests_shed_total", Counter, "Requests answered by load shedding"),
        family(
            "bridge_overhead_seconds",
            Gauge,
            "Assumed cost of the way to the compute pool and back",
        ),
        family(
            "queue_wait_seconds",
            Kind::Histogram,
            "How long timed compute calls waited for a thread",
        ),
        labelled_family(
            ARM,
            "function_calls_total",
            Counter,
            "Calls of a function, by where they ran",
        ),
        labelled_family(
            OUTCOME,
            "function_outcomes_total",
            Counter,
            "Calls of a function that ended",
        ),
        labelled_family(
            FUNCTION,
            "function_run_seconds",
            Kind::Histogram,
            "How long timed calls of a function took",
        ),
        labelled_family(
            FUNCTION,
            "function_queue_wait_seconds",
            Kind::Histogram,
            "How long offloaded calls of a function waited for a thread",
        ),
        labelled_family(
            FUNCTION,
            "function_limit_wait_seconds",
            Kind::Histogram,
            "How long calls of a function waited for its limit",
        ),
        labelled_family(
            OUTCOME,
            "function_far_calls_total",
            Counter,
            "Calls of a function that went to other processes, by how they ended",
        ),
        labelled_family(
            FUNCTION,
            "function_far_wait_seconds",
            Kind::Histogram,
            "How long far calls of a function waited there",
        ),
        labelled_family(
            FUNCTION,
            "function_far_way_seconds",
            Kind::Histogram,
            "What callers saw of far calls besides wait and run: codec and network",
        ),
        labelled_family(
            PLACE,
            "slow_poll_seconds",
            Kind::Histogram,
            "How long slow polls held their thread, by the place that they are of",
        ),
        labelled_family(
            PLACE,
            "slow_poll_longest_seconds",
            Gauge,
            "The longest poll of a place that had slow ones",
        ),
        labelled_family(PLUGIN, "plugin_tasks", Gauge, "Work of a plug-in that has not ended"),
        labelled_family(PLUGIN, "plugin_spawned_total", Counter, "Tasks that a plug-in spawned"),
        labelled_family(
            PLUGIN,
            "plugin_compute_in_flight",
            Gauge,
            "Calls of a plug-in that have not ended",
        ),
        labelled_family(
            PLUGIN,
            "plugin_compute_run_total",
            Counter,
            "Calls of a plug-in that ended",
        ),
        labelled_family(PLUGIN, "plugin_panics_total", Counter, "Work of a plug-in that panicked"),
    ]
};
