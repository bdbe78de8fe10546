//! Who is compared: a type each, behind one trait.

use std::future::Future;
use std::sync::Arc;

use loom::{ComputeHint, LoomBuilder, LoomRuntime};
use tokio::runtime::{Builder, Handle, Runtime};

/// Unless they say otherwise pools have two threads of each kind, so that all share the
/// same machine alike.
const THREADS: usize = 2;

/// A way to run a closure from an async task.
pub(crate) trait Contender: Send + Sync + 'static {
    /// The tokio runtime that the calls are made on.
    fn tokio(&self) -> Handle;

    /// One call of `f`, which its author expects to cost what `hint` says.
    fn call<F>(&self, hint: ComputeHint, f: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static;

    /// The same, where the caller could tell how large its input is.
    fn call_sized<F>(&self, _size: u64, f: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.call(ComputeHint::Unknown, f)
    }
}

pub(crate) fn tokio_runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("tokio starts")
}

fn rayon_pool(threads: usize) -> Arc<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.expect("rayon starts"))
}

/// No runtime at all: the floor.
pub(crate) struct Inline(Runtime);

impl Inline {
    pub(crate) fn new() -> Self {
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
pub(crate) struct BlockInPlace(Runtime);

impl BlockInPlace {
    pub(crate) fn new() -> Self {
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
pub(crate) struct SpawnBlocking(Runtime);

impl SpawnBlocking {
    pub(crate) fn new() -> Self {
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
pub(crate) struct RayonOneshot(Runtime, Arc<rayon::ThreadPool>);

impl RayonOneshot {
    pub(crate) fn new() -> Self {
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
}

/// The crate of that name, on a pool of its own.
pub(crate) struct TokioRayon(Runtime, Arc<rayon::ThreadPool>);

impl TokioRayon {
    pub(crate) fn new() -> Self {
        Self::with(THREADS)
    }

    /// So many I/O workers, and as many compute threads.
    pub(crate) fn with(threads: usize) -> Self {
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

/// The nearest peer as it comes: one I/O worker, the other CPUs for compute, all pinned.
pub(crate) struct LoomRs(loom_rs::LoomRuntime);

impl LoomRs {
    pub(crate) fn new() -> Self {
        Self(loom_rs::LoomBuilder::new().build().expect("loom-rs starts"))
    }
}

impl Contender for LoomRs {
    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    /// What is known to be heavy is sent to its pool; the rest is left to its scheduler.
    async fn call<F>(&self, hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        match hint {
            ComputeHint::High => self.0.spawn_compute(f).await,
            _ => self.0.spawn_adaptive(f).await,
        }
    }
}

/// With `placement = "split"`: on two CPUs one thread of each kind.
pub(crate) fn split_runtime() -> LoomRuntime {
    LoomBuilder::new().placement(loom::Placement::Split).build().expect("loom starts")
}

pub(crate) fn loom_runtime() -> LoomRuntime {
    let builder = LoomBuilder::new().env_prefix("LOOM_BENCH");
    builder.tokio_threads(THREADS).rayon_threads(THREADS).build().expect("loom starts")
}

/// Loom, always offloading.
pub(crate) struct LoomCompute(LoomRuntime);

impl LoomCompute {
    pub(crate) fn split() -> Self {
        Self(split_runtime())
    }

    pub(crate) fn new() -> Self {
        Self(loom_runtime())
    }

    /// As it comes, and as `LOOM_BENCH_PLACEMENT` and its like say.
    pub(crate) fn by_default() -> Self {
        Self(LoomBuilder::new().env_prefix("LOOM_BENCH").build().expect("loom starts"))
    }
}

impl Contender for LoomCompute {
    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.spawn_compute(f).await
    }
}

/// Loom, deciding: a closure that does nothing settles on inline.
pub(crate) struct LoomAdaptive(LoomRuntime);

impl LoomAdaptive {
    pub(crate) fn new() -> Self {
        Self(loom_runtime())
    }

    /// As it comes, and as `LOOM_BENCH_PLACEMENT` and its like say.
    pub(crate) fn by_default() -> Self {
        Self(LoomBuilder::new().env_prefix("LOOM_BENCH").build().expect("loom starts"))
    }
}

impl Contender for LoomAdaptive {
    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    async fn call<F>(&self, hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.spawn_adaptive_with_hint(hint, f).await
    }
}

/// Loom, deciding by the size of the input, as `#[loom::compute(size = …)]` does.
pub(crate) struct LoomSized(LoomAdaptive);

impl LoomSized {
    pub(crate) fn by_default() -> Self {
        Self(LoomAdaptive::by_default())
    }
}

impl Contender for LoomSized {
    fn tokio(&self) -> Handle {
        self.0.tokio()
    }

    async fn call<F>(&self, hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.call(hint, f).await
    }

    async fn call_sized<F>(&self, size: u64, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        // On a worker of its own runtime, which is the current one.
        static SITE: loom::__private::Site = loom::__private::Site::new("bench", "sized").sized();
        loom::__private::call0(loom::__private::At::site(&SITE).size(size), f).await
    }
}
