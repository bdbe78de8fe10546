//! Calibration: measures the overhead of the compute pool before the first call needs it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::call::{CallOptions, ComputeFuture, offload};
use crate::core::{Admitted, Core};
use crate::scheduler::{CalibrationConfig, CalibrationResult};
use crate::sync::{Arc, thread, unpark_waker};

/// After how long it ends with what there is.
const ENOUGH: Duration = Duration::from_millis(200);
/// How many measurements of single calls what was measured here counts for.
const CALIBRATED_SAMPLES: usize = 8;

/// Makes calls that do nothing, one after another, and measures their round trips; nothing where
/// that is not asked for, or cannot be done.
pub(crate) fn calibrate(core: &Arc<Core>, how: CalibrationConfig) -> Option<CalibrationResult> {
    let CalibrationConfig { enabled, warmup_iterations, sample_count } = how;
    if !enabled || core.compute_threads == 0 {
        return None;
    }
    // On a thread of its own, since the one that builds may be in the midst of async code.
    let measured = Arc::clone(core);
    let began = Instant::now();
    let measure = move || {
        // Two that take turns, as tasks do, wait for their result asleep; one that is alone
        // would look for it.
        let wakers = [unpark_waker(), unpark_waker()];
        let mut samples = Vec::new();
        for n in 0..warmup_iterations + sample_count {
            let started = Instant::now();
            let admitted = Admitted::or_panic(&measured);
            let call = offload(&measured, admitted, CallOptions::default(), || ());
            wait_for(ComputeFuture::or_panic(call), &wakers[n % 2]);
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
    let result = samples.and_then(CalibrationResult::of)?;
    for _ in 0..CALIBRATED_SAMPLES {
        core.overhead.record(result.offload_overhead_us * 1e3, core.now());
    }
    Some(result)
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
