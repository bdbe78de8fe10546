//! Calibration: measures the overhead of the compute pool before the first call needs it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::call::{CallOptions, ComputeFuture, offload};
use crate::core::{Admitted, Core};
use crate::scheduler::{CalibrationConfig, CalibrationResult};
use crate::sync::{Arc, thread, unpark_waker};

/// After this time, calibration ends with the samples that it has.
const TIME_LIMIT: Duration = Duration::from_millis(200);
/// The weight of the result, in measurements of single calls.
const CALIBRATED_SAMPLES: usize = 8;

/// Makes empty calls one after another, and measures their round trips. Returns `None` if
/// calibration is off or not possible.
pub(crate) fn calibrate(core: &Arc<Core>, how: CalibrationConfig) -> Option<CalibrationResult> {
    let CalibrationConfig { enabled, warmup_iterations, sample_count } = how;
    if !enabled || core.compute_threads == 0 {
        return None;
    }
    // On a thread of its own, since the calling thread may be running async code.
    let measured = Arc::clone(core);
    let began = Instant::now();
    let measure = move || {
        // Two wakers in turn, so that each call seems to come from another task. Such a task sleeps
        // until its result is there; a single task would spin for it.
        let wakers = [unpark_waker(), unpark_waker()];
        let mut samples = Vec::new();
        for n in 0..warmup_iterations + sample_count {
            let started = Instant::now();
            let admitted = Admitted::or_panic(&measured);
            let call = offload(&measured, admitted, CallOptions::default(), || ());
            wait_for(ComputeFuture::or_panic(call), &wakers[n % 2]);
            let took = started.elapsed().as_secs_f64() * 1e6;
            // On a machine that is busy with other work, each call may wait for a CPU.
            let is_over = began.elapsed() >= TIME_LIMIT;
            if n >= warmup_iterations || is_over {
                samples.push(took);
            }
            if is_over {
                break;
            }
        }
        samples
    };
    // If the system refuses the thread, there is no calibration, and the runtime still starts.
    let measuring = thread::Builder::new().name("loom-calibration".to_owned()).spawn(measure);
    let samples = measuring.ok().and_then(|thread| thread.join().ok());
    let result = samples.and_then(CalibrationResult::of)?;
    for _ in 0..CALIBRATED_SAMPLES {
        core.io.overhead.record(result.offload_overhead_us * 1e3, core.now());
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
