//! Checks settings against the CPUs of the machine, a given tokio runtime, and each other.

use tokio::runtime::{Handle, RuntimeFlavor};

use super::settings::{Given, Settings};
use super::words::TokioFlavor;
use crate::error::Source;
use crate::error::{LoomError, Result};
use crate::topology::{CoreBudget, CpuSet};

/// The CPU budget of the process, restricted to `cpuset`.
pub(crate) fn budget(settings: &Settings) -> Result<CoreBudget> {
    let whole = CoreBudget::discover();
    let Some(Given { value, source }) = &settings.cpuset else { return Ok(whole) };
    let invalid = |remedy| LoomError::InvalidSetting {
        setting: "cpuset",
        value: format!("{value:?}"),
        source_of_value: source.clone(),
        remedy,
    };
    let wanted = CpuSet::parse(value).map_err(invalid)?;
    let available = whole.cpus.to_string();
    whole.within(&wanted).ok_or_else(|| {
        invalid(format!("none of these may be used; the process may use CPUs {available}"))
    })
}

/// Refuses settings that a given tokio runtime has already decided.
pub(crate) fn check_beside(settings: &Settings, host: &Handle) -> Result<()> {
    let threads = settings.tokio_threads.as_ref();
    if let Some(Given { value, source }) = threads.filter(|given| given.is_wanted()) {
        let workers = host.metrics().num_workers();
        let plural = if workers == 1 { "" } else { "s" };
        return Err(not_ours(
            "tokio_threads",
            value,
            source,
            &format!("the tokio runtime that was given has {workers} worker{plural} already"),
        ));
    }
    let flavor = settings.tokio_flavor.as_ref();
    let own = flavor_of(host);
    match flavor.filter(|given| given.is_wanted() && given.value != own) {
        Some(Given { value, source }) => Err(not_ours(
            "tokio_flavor",
            value,
            source,
            &format!("the tokio runtime that was given has the flavor {own} already"),
        )),
        None => Ok(()),
    }
}

/// Refuses a number of workers for a current-thread runtime, which starts none.
pub(crate) fn check_flavor(settings: &Settings) -> Result<()> {
    let flavor = settings.tokio_flavor.as_ref().map(|given| given.value).unwrap_or_default();
    let threads = settings.tokio_threads.as_ref();
    match threads.filter(|given| given.is_wanted() && flavor == TokioFlavor::CurrentThread) {
        Some(Given { value, source }) => Err(not_ours(
            "tokio_threads",
            value,
            source,
            "with the flavor current_thread tasks run on the thread inside `block_on`",
        )),
        None => Ok(()),
    }
}

fn not_ours(setting: &'static str, value: &impl ToString, source: &Source, why: &str) -> LoomError {
    LoomError::InvalidSetting {
        setting,
        value: value.to_string(),
        source_of_value: source.clone(),
        remedy: format!("{why}: leave it out"),
    }
}

/// Chooses a current-thread runtime for paused time, and refuses settings that need more threads:
/// only one thread can have paused time.
pub(crate) fn hold_time(settings: &mut Settings, is_beside: bool) -> Result<()> {
    let paused = |setting, value: &dyn ToString, source: &Source| LoomError::InvalidSetting {
        setting,
        value: value.to_string(),
        source_of_value: source.clone(),
        remedy: "`start_paused` needs a single I/O thread and no local cores: leave it out"
            .to_owned(),
    };
    if is_beside {
        return Err(LoomError::InvalidSetting {
            setting: "start_paused",
            value: true.to_string(),
            source_of_value: Source::Code,
            remedy: "a given tokio runtime has its own time: build that runtime paused, or \
                     leave `beside` out"
                .to_owned(),
        });
    }
    let flavor = settings.tokio_flavor.as_ref().filter(|given| given.is_wanted());
    if let Some(Given { value, source }) =
        flavor.filter(|given| given.value != TokioFlavor::CurrentThread)
    {
        return Err(paused("tokio_flavor", value, source));
    }
    if let Some(Given { value, source }) = settings.local_cores.as_ref().filter(|n| n.value.0 > 0) {
        return Err(paused("local_cores", &value.0, source));
    }
    let flavor = Given { value: TokioFlavor::CurrentThread, source: Source::Code };
    settings.tokio_flavor.get_or_insert(flavor);
    Ok(())
}

/// The flavour of a given tokio runtime.
pub(crate) fn flavor_of(host: &Handle) -> TokioFlavor {
    match host.runtime_flavor() {
        RuntimeFlavor::CurrentThread => TokioFlavor::CurrentThread,
        _ => TokioFlavor::MultiThread,
    }
}
