//! The plug-in of `loom-bench plugins`: the scenarios, on a runtime that belongs to the host.

mod scenarios;

use std::error::Error;

use loom::plugin::{Attach, Attached, JoinHandle, TokioContext, current};
use scenarios::{Spawns, polls, spawns};

loom::plugin::export!("bench", start);

fn start(attach: Attach<'_>) -> Result<(), Box<dyn Error>> {
    attach.start()?;
    Ok(())
}

/// Tasks on the host's runtime, with the given part of this library's tokio.
#[derive(Clone)]
struct Tasks(Attached, TokioContext);

impl Spawns for Tasks {
    type Handle<T: Send + 'static> = JoinHandle<T>;

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.spawn_within(self.1, future)
    }
}

/// Tasks of `spawn_async`, with tokio's handles.
#[derive(Clone)]
struct Tokios;

impl Spawns for Tokios {
    type Handle<T: Send + 'static> = tokio::task::JoinHandle<T>;

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self::Handle<T> {
        loom::spawn_async(future)
    }
}

/// Nanoseconds per task or poll, for `n` of them; less than 0 if there is no such scenario.
#[allow(unsafe_code, reason = "the host knows it by this name")]
#[unsafe(no_mangle)]
pub extern "C" fn bench(context: u32, is_spawn: bool, n: u64) -> f64 {
    let Some(attached) = current() else { return -1.0 };
    let driver = attached.clone();
    let measured = async move {
        let context = match context {
            0 => TokioContext::Budget,
            1 => TokioContext::Entered,
            2 => TokioContext::None,
            _ if is_spawn => return spawns(Tokios, n).await,
            _ => return polls(n).await,
        };
        if is_spawn { spawns(Tasks(attached.clone(), context), n).await } else { polls(n).await }
    };
    let within = match context {
        1 => TokioContext::Entered,
        2 => TokioContext::None,
        _ => TokioContext::Budget,
    };
    let task = driver.spawn_within(within, measured);
    driver.block_on(task).map_or(-1.0, |ended| ended.unwrap_or(-1.0))
}
