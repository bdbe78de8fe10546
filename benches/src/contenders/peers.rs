//! What else there is, from the registry.

use std::sync::Arc;
use std::time::Duration;

use async_scoped::TokioScope;
use loom::ComputeHint;
use tokio::runtime::{Builder, Handle, Runtime};

use super::contender::Contender;
use crate::work::burn;

/// Unless they say otherwise pools have two threads of each kind, so that all share the
/// same machine alike.
const THREADS: usize = 2;

pub(super) fn tokio_runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("tokio starts")
}

fn rayon_pool(threads: usize) -> Arc<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.expect("rayon starts"))
}

/// No runtime at all: the floor.
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

/// Tokio's way to block a worker after its tasks have moved to another.
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

/// What people write by hand.
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
            // The caller waits; were it gone, nobody would miss the result.
            let _ = sender.send(f());
        });
        receiver.await.expect("the closure ran")
    }

    /// A scope on the pool, within a job that reports by a channel, which has to own its data.
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

/// The crate of that name, on a pool of its own.
pub(super) struct TokioRayon(Runtime, Arc<rayon::ThreadPool>);

impl TokioRayon {
    /// So many I/O workers, and as many compute threads.
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

/// The nearest peer as it comes: one I/O worker, the other CPUs for compute, all pinned.
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

    /// What is known to be heavy is sent to its pool; the rest is left to its scheduler, with
    /// what is known of it.
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
