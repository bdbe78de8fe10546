//! Who is compared: a type each, behind one trait.

use std::future::Future;
use std::sync::Arc;

use loom::{ComputeHint, LoomBuilder, LoomRuntime};
use tokio::runtime::{Builder, Handle, Runtime};

/// Every pool has two threads of each kind, so that all share the same machine alike.
const THREADS: usize = 2;

/// A way to run a closure from an async task.
pub(crate) trait Contender: Send + Sync + 'static {
    /// The name in the table.
    fn name(&self) -> &'static str;

    /// Whether the closure leaves the thread that asks.
    fn offloads(&self) -> bool;

    /// The tokio runtime that the calls are made on.
    fn tokio(&self) -> Handle;

    /// One call of `f`.
    fn call(&self, f: fn() -> u64) -> impl Future<Output = u64> + Send;
}

fn tokio_runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(THREADS).build().expect("tokio starts")
}

fn rayon_pool() -> Arc<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build();
    Arc::new(pool.expect("rayon starts"))
}

/// No runtime at all: the floor.
pub(crate) struct Inline(Runtime);

impl Inline {
    pub(crate) fn new() -> Self {
        Self(tokio_runtime())
    }
}

impl Contender for Inline {
    fn name(&self) -> &'static str {
        "inline"
    }

    fn offloads(&self) -> bool {
        false
    }

    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        f()
    }
}

/// Tokio's blocking threads.
pub(crate) struct SpawnBlocking(Runtime);

impl SpawnBlocking {
    pub(crate) fn new() -> Self {
        Self(tokio_runtime())
    }
}

impl Contender for SpawnBlocking {
    fn name(&self) -> &'static str {
        "spawn_blocking"
    }

    fn offloads(&self) -> bool {
        true
    }

    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        tokio::task::spawn_blocking(f).await.expect("it does not panic")
    }
}

/// What people write by hand.
pub(crate) struct RayonOneshot(Runtime, Arc<rayon::ThreadPool>);

impl RayonOneshot {
    pub(crate) fn new() -> Self {
        Self(tokio_runtime(), rayon_pool())
    }
}

impl Contender for RayonOneshot {
    fn name(&self) -> &'static str {
        "rayon::spawn + oneshot"
    }

    fn offloads(&self) -> bool {
        true
    }

    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.1.spawn(move || {
            // The caller waits; were it gone, nobody would miss the result.
            let _ = sender.send(f());
        });
        receiver.await.expect("the closure ran")
    }
}

/// The crate of that name, on a pool of its own.
pub(crate) struct TokioRayon(Runtime, Arc<rayon::ThreadPool>);

impl TokioRayon {
    pub(crate) fn new() -> Self {
        Self(tokio_runtime(), rayon_pool())
    }
}

impl Contender for TokioRayon {
    fn name(&self) -> &'static str {
        "tokio-rayon"
    }

    fn offloads(&self) -> bool {
        true
    }

    fn tokio(&self) -> Handle {
        self.0.handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        use tokio_rayon::AsyncThreadPool;
        self.1.spawn_async(f).await
    }
}

fn loom_runtime() -> LoomRuntime {
    LoomBuilder::new().tokio_threads(THREADS).rayon_threads(THREADS).build().expect("loom starts")
}

/// Loom, always offloading.
pub(crate) struct LoomCompute(LoomRuntime);

impl LoomCompute {
    pub(crate) fn new() -> Self {
        Self(loom_runtime())
    }
}

impl Contender for LoomCompute {
    fn name(&self) -> &'static str {
        "loom spawn_compute"
    }

    fn offloads(&self) -> bool {
        true
    }

    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        self.0.spawn_compute(f).await
    }
}

/// Loom, deciding: a closure that does nothing settles on inline.
pub(crate) struct LoomAdaptive(LoomRuntime);

impl LoomAdaptive {
    pub(crate) fn new() -> Self {
        Self(loom_runtime())
    }
}

impl Contender for LoomAdaptive {
    fn name(&self) -> &'static str {
        "loom spawn_adaptive"
    }

    fn offloads(&self) -> bool {
        false
    }

    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    async fn call(&self, f: fn() -> u64) -> u64 {
        self.0.spawn_adaptive_with_hint(ComputeHint::Low, f).await
    }
}
