//! Calibration: what the way to the compute pool costs, before anybody waits for it.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::scheduler::{CalibrationConfig, CalibrationResult, MabKnobs};

use crate::sync::{Arc, thread};

use super::builder::{LoomBuilder, in_code};
use super::compute::ComputeFuture;
use super::config::Change;
use super::handle::LoomRuntime;

impl LoomBuilder {
    /// Thresholds and weights of the scheduler, all of them, in place of what files and the
    /// environment say of single ones (`mab_knobs.t_block_hard_us`, and so on).
    ///
    /// [`build`](Self::build) fails where one is out of its bounds, and says which.
    pub fn mab_knobs(mut self, knobs: MabKnobs) -> Self {
        self.code.tuning.push(in_code(Change::Knobs(knobs)));
        self
    }

    /// Whether the way to the compute pool is measured when the runtime starts, so that first
    /// decisions rest on more than a guess; false by default, since it takes some milliseconds,
    /// and up to a fifth of a second on a busy machine.
    pub fn calibrate(mut self, enabled: bool) -> Self {
        self.code.tuning.push(in_code(Change::Calibrate(enabled)));
        self
    }

    /// The same, and with how many calls. In files and the environment: `calibration.enabled`,
    /// and so on.
    ///
    /// ```
    /// use loom::mab::CalibrationConfig;
    /// let few = CalibrationConfig::new().enabled().warmup_iterations(10).sample_count(100);
    /// let runtime = loom::LoomBuilder::new().calibration_config(few).build()?;
    /// assert!(runtime.calibration().is_some_and(|measured| measured.p99_us >= measured.p50_us));
    /// # Ok::<(), loom::LoomError>(())
    /// ```
    pub fn calibration_config(mut self, config: CalibrationConfig) -> Self {
        self.code.tuning.push(in_code(Change::Calibration(config)));
        self
    }
}

impl LoomRuntime {
    /// What calibration measured when this runtime started, if it was asked to.
    #[must_use]
    pub fn calibration(&self) -> Option<CalibrationResult> {
        self.inner.calibration.get().copied()
    }

    /// Makes calls that do nothing, one after another, and measures their round trips.
    pub(super) fn calibrate(&self) {
        let CalibrationConfig { enabled, warmup_iterations, sample_count } =
            self.inner.config.calibration;
        if !enabled || self.rayon_threads() == 0 {
            return;
        }
        // On a thread of its own, since the one that builds may be in the midst of async code.
        let runtime = self.clone();
        let began = Instant::now();
        let measure = move || {
            // Two that take turns, as tasks do, wait for their result asleep; one that is alone
            // would look for it.
            let wakers = [Unpark::waker(), Unpark::waker()];
            let mut samples = Vec::new();
            for n in 0..warmup_iterations + sample_count {
                let started = Instant::now();
                wait_for(runtime.spawn_compute(|| ()), &wakers[n % 2]);
                let took = started.elapsed().as_secs_f64() * 1e6;
                // On a machine that is busy with other things each may wait for a CPU.
                let is_enough = began.elapsed() >= ENOUGH;
                if n >= warmup_iterations || is_enough {
                    samples.push(took);
                }
                if is_enough {
                    break;
                }
            }
            samples
        };
        // Without a thread there is nothing to measure with, and no harm done.
        let measuring = thread::Builder::new().name("loom-calibration".to_owned()).spawn(measure);
        let samples = measuring.ok().and_then(|thread| thread.join().ok());
        let Some(result) = samples.and_then(CalibrationResult::of) else { return };
        let core = self.core();
        for _ in 0..CALIBRATED_SAMPLES {
            core.overhead.record(result.offload_overhead_us * 1e3, core.now());
        }
        // It is measured once, by whoever built it.
        let _ = self.inner.calibration.set(result);
    }
}

/// After how long it ends with what there is.
const ENOUGH: Duration = Duration::from_millis(200);
/// How many measurements of single calls what was measured here counts for.
const CALIBRATED_SAMPLES: usize = 8;

struct Unpark(thread::Thread);

impl Unpark {
    fn waker() -> Waker {
        Waker::from(Arc::new(Self(thread::current())))
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks until a call has ended.
fn wait_for<R>(call: ComputeFuture<R>, waker: &Waker) -> R {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(waker)) {
            return result;
        }
        thread::park();
    }
}
