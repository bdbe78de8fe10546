//! The three ways to run the engine in a service.

use std::any::Any;

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use datafusion::error::Result;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use loom::{ComputeStreamExt, LoomBuilder, LoomRuntime};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// I/O workers, and threads that compute where there are any apart: the same in each way.
const THREADS: usize = 2;
/// The pieces of an answer that wait for their reader.
const AHEAD: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// One tokio runtime does it all.
    Tokio,
    /// The engine has a tokio runtime of its own, and answers come over a channel.
    Second,
    /// The engine's polls run on Loom's compute pool.
    Loom,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Tokio, Self::Second, Self::Loom];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio alone",
            Self::Second => "a second runtime",
            Self::Loom => "Loom",
        }
    }
}

/// The runtimes of one way.
pub struct Home {
    io: Io,
    engine: Option<Runtime>,
}

enum Io {
    Tokio(Runtime),
    Loom(LoomRuntime),
}

impl Home {
    pub fn new(way: Way) -> std::result::Result<Self, Box<dyn std::error::Error>> {
        let tokio = || Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        Ok(match way {
            Way::Tokio => Self { io: Io::Tokio(tokio()?), engine: None },
            Way::Second => Self { io: Io::Tokio(tokio()?), engine: Some(tokio()?) },
            Way::Loom => {
                set_join_set_tracer(&OnPool)?;
                Self { io: Io::Loom(LoomBuilder::new().tokio_threads(THREADS).rayon_threads(THREADS).build()?), engine: None }
            }
        })
    }

    /// The runtime of the service.
    pub fn handle(&self) -> &Handle {
        match &self.io {
            Io::Tokio(runtime) => runtime.handle(),
            Io::Loom(runtime) => runtime.tokio_handle(),
        }
    }

    /// Where answers are computed.
    pub fn place(&self) -> Place {
        match (&self.io, &self.engine) {
            (Io::Loom(runtime), _) => Place::Pool(runtime.clone()),
            (Io::Tokio(_), Some(engine)) => Place::Second(engine.handle().clone()),
            (Io::Tokio(_), None) => Place::Here,
        }
    }
}

/// Where the polls of answers run.
#[derive(Clone)]
pub enum Place {
    Here,
    Second(Handle),
    Pool(LoomRuntime),
}

impl Place {
    pub fn polls(
        &self,
        answer: impl Stream<Item = Result<String>> + Send + 'static,
    ) -> BoxStream<'static, Result<String>> {
        match self {
            Self::Here => answer.boxed(),
            Self::Second(engine) => {
                let (sender, receiver) = mpsc::channel(AHEAD);
                engine.spawn(async move {
                    let mut answer = Box::pin(answer);
                    // A client that has gone ends it at the next piece.
                    while let Some(piece) = answer.next().await {
                        if sender.send(piece).await.is_err() {
                            return;
                        }
                    }
                });
                ReceiverStream::new(receiver).boxed()
            }
            Self::Pool(runtime) => answer.on_compute().ahead(AHEAD).on(runtime).boxed(),
        }
    }
}

/// The tasks that the engine starts by itself, one for each piece of a query, compute as well.
struct OnPool;

impl JoinSetTracer for OnPool {
    fn trace_future(
        &self,
        future: BoxFuture<'static, Box<dyn Any + Send>>,
    ) -> BoxFuture<'static, Box<dyn Any + Send>> {
        // It starts with its task's first poll, so that a task that is given up early takes it along.
        Box::pin(async move { loom::spawn_compute_future(future).await })
    }

    fn trace_block(
        &self,
        block: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        block
    }
}
