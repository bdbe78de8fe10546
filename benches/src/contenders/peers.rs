//! Other ways to offload, from crates.io.

use std::sync::Arc;
use std::time::Duration;

use async_scoped::TokioScope;
use loom::ComputeHint;
use tokio::runtime::{Builder, Handle, Runtime};

use super::contender::Contender;
use crate::work::burn;

/// Pools have two threads of each kind unless their name states other numbers, so that all
/// contenders use the machine in the same way.
const THREADS: usize = 2;

pub(super) fn tokio_runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("tokio starts")
}

fn rayon_pool(threads: usize) -> Arc<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.expect("rayon starts"))
}

/// No offloading at all: the least possible cost.
pub(super) struct Inline(Runtime);

impl Inline {
    pub(super) fn new() -> Self {
        Self(tokio_runtime(THREADS))
    }
}

impl Contender for Inline {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        f()
    }
}

/// Tokio's `block_in_place`: blocks a worker after its tasks have moved to another one.
pub(super) struct BlockInPlace(Runtime);

impl BlockInPlace {
    pub(super) fn new() -> Self {
        Self(tokio_runtime(THREADS))
    }
}

impl Contender for BlockInPlace {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        tokio::task::block_in_place(f)
    }
}

/// Tokio's blocking threads.
pub(super) struct SpawnBlocking(Runtime);

impl SpawnBlocking {
    pub(super) fn new() -> Self {
        Self(tokio_runtime(THREADS))
    }
}

impl Contender for SpawnBlocking {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        tokio::task::spawn_blocking(f).await.expect("it does not panic")
    }
}

/// The combination that people write by hand.
pub(super) struct RayonOneshot(Runtime, Arc<rayon::ThreadPool>);

impl RayonOneshot {
    pub(super) fn new() -> Self {
        Self(tokio_runtime(THREADS), rayon_pool(THREADS))
    }
}

impl Contender for RayonOneshot {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.1.spawn(move || {
            // If the caller has gone, the result is not needed.
            let _ = sender.send(f());
        });
        receiver.await.expect("the closure ran")
    }

    /// A scope on the pool, inside a job that has to own its data and reports through a channel.
    async fn pair(&self, work: Duration) -> [u64; 2] {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.1.spawn(move || {
            let mut results = [0; 2];
            rayon::scope(|scope| {
                for result in &mut results {
                    scope.spawn(move |_| *result = burn(work));
                }
            });
            let _ = sender.send(results);
        });
        receiver.await.expect("the scope ran")
    }
}

/// The `tokio-rayon` crate, on a pool of its own.
pub(super) struct TokioRayon(Runtime, Arc<rayon::ThreadPool>);

impl TokioRayon {
    /// `threads` I/O workers, and as many compute threads.
    pub(super) fn with(threads: usize) -> Self {
        Self(tokio_runtime(threads), rayon_pool(threads))
    }
}

impl Contender for TokioRayon {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        use tokio_rayon::AsyncThreadPool;
        self.1.spawn_async(f).await
    }
}

/// Scopes on tokio's blocking threads, which borrow and block.
pub(super) struct AsyncScoped(Runtime);

impl AsyncScoped {
    pub(super) fn new() -> Self {
        Self(tokio_runtime(THREADS))
    }
}

impl Contender for AsyncScoped {
    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let ((), results) = TokioScope::scope_and_block(|scope| scope.spawn_blocking(f));
        let results = results.into_iter().map(|result| result.expect("it does not panic"));
        results.sum()
    }

    async fn pair(&self, work: Duration) -> [u64; 2] {
        let mut results = [0; 2];
        TokioScope::scope_and_block(|scope| {
            for result in &mut results {
                scope.spawn_blocking(move || *result = burn(work));
            }
        });
        results
    }
}

/// The nearest peer with its defaults: one I/O worker, the other CPUs for compute, all pinned.
pub(super) struct LoomRs(loom_rs::LoomRuntime);

impl LoomRs {
    pub(super) fn new() -> Self {
        Self(loom_rs::LoomBuilder::new().build().expect("loom-rs starts"))
    }
}

impl Contender for LoomRs {
    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    /// Work that is known to be heavy is sent to its pool. Its scheduler places other work, with
    /// the hint.
    async fn call<F>(&self, hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        match hint {
            ComputeHint::High => self.0.spawn_compute(f).await,
            ComputeHint::Unknown => self.0.spawn_adaptive(f).await,
            ComputeHint::Low => self.0.spawn_adaptive_with_hint(loom_rs::ComputeHint::Low, f).await,
            ComputeHint::Medium => {
                self.0.spawn_adaptive_with_hint(loom_rs::ComputeHint::Medium, f).await
            }
        }
    }

    async fn pair(&self, work: Duration) -> [u64; 2] {
        let mut results = [0; 2];
        let scope = self.0.scope_compute(|scope| {
            for result in &mut results {
                scope.spawn(move |_| *result = burn(work));
            }
        });
        scope.await;
        results
    }
}
