//! Loom, in each way of making a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loom::__private::{At, Site, call0};
use loom::{ComputeHint, ComputePriority, LoomBuilder, LoomRuntime, Placement};
use tokio::runtime::Handle;

use super::contender::Contender;
use crate::work::burn;

/// The default settings, unless `LOOM_BENCH_PLACEMENT` and similar variables change them.
pub(super) fn loom_runtime() -> LoomRuntime {
    LoomBuilder::new().env_prefix("LOOM_BENCH").build().expect("loom starts")
}

/// With `placement = "split"`: on two CPUs one thread of each kind.
pub(super) fn split_runtime() -> LoomRuntime {
    LoomBuilder::new().placement(Placement::Split).build().expect("loom starts")
}

/// With compute threads of the same priority as all other threads.
pub(super) fn normal_runtime() -> LoomRuntime {
    let priority = ComputePriority::Normal;
    LoomBuilder::new().compute_priority(priority).build().expect("loom starts")
}

/// Always offloads.
pub(super) struct LoomCompute(LoomRuntime);

impl LoomCompute {
    pub(super) fn new() -> Self {
        Self(loom_runtime())
    }

    pub(super) fn split() -> Self {
        Self(split_runtime())
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

/// Decides by the type of the closure.
pub(super) struct LoomAdaptive(LoomRuntime);

impl LoomAdaptive {
    pub(super) fn new() -> Self {
        Self(loom_runtime())
    }

    pub(super) fn normal() -> Self {
        Self(normal_runtime())
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

/// Decides by an annotated function.
pub(super) struct LoomAttribute(LoomRuntime);

impl LoomAttribute {
    pub(super) fn new() -> Self {
        Self(loom_runtime())
    }
}

#[loom::compute]
fn annotated<F: FnOnce() -> u64 + Send + 'static>(f: F) -> u64 {
    f()
}

impl Contender for LoomAttribute {
    fn tokio(&self) -> Handle {
        self.0.tokio_handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        annotated(f).await
    }
}

/// Decides by the size of the input, as `#[loom::compute(size = …)]` does.
pub(super) struct LoomSized(LoomAdaptive);

impl LoomSized {
    pub(super) fn new() -> Self {
        Self(LoomAdaptive::new())
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
        // This runs on a worker of the contender's runtime, so that runtime is current.
        static SITE: Site = Site::new("bench", "sized").sized();
        call0(At::site(&SITE).size(size), f).await
    }
}

/// Parallel work within a scope.
pub(super) struct LoomScope {
    runtime: LoomRuntime,
    /// Whether the scope owns its data instead of borrowing it.
    is_owned: bool,
}

impl LoomScope {
    pub(super) fn new(is_owned: bool) -> Self {
        Self { runtime: loom_runtime(), is_owned }
    }
}

impl Contender for LoomScope {
    fn tokio(&self) -> Handle {
        self.runtime.tokio_handle().clone()
    }

    async fn call<F>(&self, _hint: ComputeHint, f: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.runtime.scope_compute(|_| f()).await
    }

    async fn pair(&self, work: Duration) -> [u64; 2] {
        if self.is_owned {
            let state = [const { AtomicU64::new(0) }; 2];
            let scope = self.runtime.scope_compute_with(state, move |scope, state| {
                for result in state {
                    scope.spawn(move |_| result.store(burn(work), Ordering::Relaxed));
                }
            });
            return scope.await.0.map(AtomicU64::into_inner);
        }
        let mut results = [0; 2];
        let scope = self.runtime.scope_compute(|scope| {
            for result in &mut results {
                scope.spawn(move |_| *result = burn(work));
            }
        });
        scope.await;
        results
    }
}
