//! `loom-bench plugins`: the cost of tasks whose runtime belongs to another library, beside the
//! same within one program. Each sample is a process of its own.

#[path = "../plugin/src/scenarios.rs"]
mod scenarios;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::{env, io};

use loom::{LoomBuilder, LoomRuntime};
use scenarios::{Spawns, polls, spawns};

use crate::page;
use crate::report::{Bar, Report, Table, figure, ratio};
use crate::rounds::{Rounds, Taken, at_least_one, in_a_process};
use crate::sample::Seen;
use crate::statistics::Estimate;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round, which shows that the bench works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The number of rounds.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    pub(crate) rounds: usize,
}

#[derive(clap::Args)]
pub(crate) struct SampleOptions {
    library: PathBuf,
    contender: String,
    scenario: String,
    /// The number of tasks or polls.
    n: u64,
}

const ALONE: &str = "one program";
const LUMINAL: &str = "luminal_rt";
/// The contexts in the order of the plug-in's numbers, and the extra cost that a poll may have
/// beyond one within one program, in nanoseconds.
const OVER_THERE: [(&str, f64); 3] = [
    ("plug-in, tokio's budget", 100.0),
    ("plug-in, tokio entered", 40.0),
    ("plug-in, without tokio", 10.0),
];
const BY_TOKIOS_HANDLE: &str = "plug-in, `spawn_async`";

const SCENARIOS: [(&str, &str, u64); 2] =
    [("poll", "a poll, ns", 2_000_000), ("spawn", "spawned and awaited, ns", 320_000)];

/// The library, built separately, so that it has its own tokio and rayon.
fn library() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let exe = env::current_exe()?;
    let folder = exe.parent().ok_or("this program is in no folder")?;
    let target = folder.parent().ok_or("this program is in no target folder")?;
    // As this program is built: unoptimised where it is only tried.
    let (profile, built) =
        if cfg!(debug_assertions) { ("dev", "debug") } else { ("release", "release") };
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "--locked"])
        .args(["--package", "loom-bench-plugin"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(page::root()?)
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the plug-in does not build").into());
    }
    let name = format!("{}loom_bench_plugin{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    Ok(target.join(built).join(name))
}

fn runtime() -> loom::Result<LoomRuntime> {
    LoomBuilder::new().tokio_threads(1).rayon_threads(1).build()
}

/// One sample, in a process of its own.
pub(crate) fn sample(options: &SampleOptions) -> Result<(), Box<dyn Error>> {
    let SampleOptions { library, contender, scenario, n } = options;
    let is_spawn = scenario == "spawn";
    let context = OVER_THERE.iter().position(|(name, _)| name == contender);
    let nanos = match contender.as_str() {
        ALONE => {
            let runtime = runtime()?;
            let on = Ours(runtime.clone());
            let n = *n;
            let body = async move { if is_spawn { spawns(on, n).await } else { polls(n).await } };
            runtime.block_on(runtime.spawn_async(body))?
        }
        LUMINAL => {
            let on = Luminal(Arc::new(luminal::Runtime::new()?));
            let (there, n) = (on.clone(), *n);
            let body =
                async move { if is_spawn { spawns(there, n).await } else { polls(n).await } };
            on.0.block_on(on.0.spawn(body))
        }
        BY_TOKIOS_HANDLE => over_there(library, 3, is_spawn, *n)?,
        _ => {
            let context = context.ok_or_else(|| format!("nobody is called `{contender}`"))?;
            over_there(library, u32::try_from(context)?, is_spawn, *n)?
        }
    };
    println!("{}", serde_json::to_string(&Seen { nanos, ..Seen::default() })?);
    Ok(())
}

#[allow(unsafe_code, reason = "a library is loaded")]
fn over_there(
    library: &PathBuf,
    context: u32,
    is_spawn: bool,
    n: u64,
) -> Result<f64, Box<dyn Error>> {
    type Run = extern "C" fn(u32, bool, u64) -> f64;
    let runtime = runtime()?;
    // SAFETY: the library was built for this bench.
    let plugin = unsafe { runtime.load_plugin(library) }?;
    // SAFETY: the library exports this function under this name.
    let run: Run = unsafe { plugin.symbol("bench") }.map_err(|error| error.to_string())?;
    let nanos = run(context, is_spawn, n);
    if nanos < 0.0 { Err("the plug-in failed".into()) } else { Ok(nanos) }
}

#[derive(Clone)]
struct Ours(LoomRuntime);

impl Spawns for Ours {
    type Handle<T: Send + 'static> = tokio::task::JoinHandle<T>;

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self::Handle<T> {
        self.0.spawn_async(future)
    }
}

#[derive(Clone)]
struct Luminal(Arc<luminal::Runtime>);

impl Spawns for Luminal {
    type Handle<T: Send + 'static> = luminal::JoinHandle<T>;

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self::Handle<T> {
        self.0.spawn(future)
    }
}

pub(crate) fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    let rounds = if options.quick { Rounds::one() } else { Rounds::of(options.rounds) };
    let less = if options.quick { 20 } else { 1 };
    let library = library()?.to_string_lossy().into_owned();
    let names: Vec<_> = [ALONE]
        .into_iter()
        .chain(OVER_THERE.map(|(name, _)| name))
        .chain([BY_TOKIOS_HANDLE, LUMINAL])
        .collect();
    let scenarios = SCENARIOS.map(|(name, ..)| name);
    let taken: Taken<Seen> = Taken::take(rounds, &scenarios, &names, |scenario, contender, _| {
        let n = SCENARIOS.iter().find(|(name, ..)| *name == scenario).map_or(1, |(.., n)| *n);
        let n = (n / less).to_string();
        in_a_process(&["plugins-sample", &library, contender, scenario, &n])
    })?;
    let mut report = Report::default();
    report.say(
        "Tasks on a runtime with one worker: of the program itself, and of a plug-in that was \
         built apart; medians. A task wakes itself again and again, or spawns others, 32 at a time, \
         and awaits them.",
    );
    report.say(&taken.how());
    let head = SCENARIOS.iter().map(|(_, says, _)| *says);
    let mut table = Table::new(1, [""].into_iter().chain(head));
    for (c, name) in names.iter().enumerate() {
        let cells = (0..SCENARIOS.len()).map(|s| figure(taken.median(s, c, |seen| seen.nanos), 0));
        table.row([(*name).to_owned()].into_iter().chain(cells));
    }
    report.table(&table);
    report.say("What was aimed at, in nanoseconds a poll beyond the same within one program:");
    let mut aims = Table::new(1, ["", "", "bar", ""]);
    for (c, (name, most)) in (1..).zip(OVER_THERE) {
        let nanos = |c: usize| taken.samples[0][c].iter().map(|sample| sample.seen.nanos);
        let beyond: Vec<_> = nanos(c).zip(nanos(0)).map(|(ours, alone)| ours - alone).collect();
        let (estimate, bar) = (Estimate::of(&beyond), Bar::AtMost(most));
        aims.row([name, &ratio(estimate), &bar.sign(), bar.verdict(estimate)]);
    }
    report.table(&aims);
    report.samples("plugins", &taken);
    Ok(report)
}
