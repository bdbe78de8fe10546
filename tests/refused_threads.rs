//! A system that refuses threads: at each step of the start, and later.
//!
//! This program replaces `pthread_create` by its own function, which a test can make fail.
//! The tests share one lock for that reason.
//!
//! Rule S1: names end in a nul byte.
//! Rule S2: the next definition of a name is the C library's, and has the type that the
//! manual states.
//! Rule S3: the caller's promises are passed on.
#![cfg(target_os = "linux")]

use std::ffi::{c_int, c_void};
use std::fs;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use loom::LoomBuilder;

type Start = extern "C" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut libc::pthread_t, *const c_void, Start, *mut c_void) -> c_int;

/// How many threads the system still grants; a negative number means no limit.
static LEFT: AtomicI64 = AtomicI64::new(-1);
/// The error that it returns when none is left.
static ANSWER: AtomicI32 = AtomicI32::new(libc::EAGAIN);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Takes precedence over the C library's function.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "it takes the place of a function of the C library")]
pub unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let take = |left| (left > 0).then_some(left - 1);
    if LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) == Err(0) {
        return ANSWER.load(Ordering::SeqCst);
    }
    // SAFETY: S1.
    let real = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
    assert!(!real.is_null(), "the C library has it");
    // SAFETY: S2.
    let real: Create = unsafe { std::mem::transmute(real) };
    // SAFETY: S3.
    unsafe { real(thread, attributes, start, argument) }
}

fn thread_count() -> usize {
    fs::read_dir("/proc/self/task").expect("Linux tells").count()
}

/// How many threads have a name that begins with `start`; the kernel keeps fifteen bytes of a
/// name.
fn named(start: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux tells").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| start.starts_with(name.trim()) || name.starts_with(start)).count()
}

fn builder() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(2).rayon_threads(3)
}

/// Builds a runtime while `left` threads are left, and returns the error, if any.
fn build_with(left: i64) -> Option<String> {
    LEFT.store(left, Ordering::SeqCst);
    let built = builder().build();
    LEFT.store(-1, Ordering::SeqCst);
    built.err().map(|error| error.to_string())
}

#[test]
fn a_refusal_at_the_start_is_an_error_and_leaves_nothing_running() {
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let way_out = "; raise the limit on threads (`ulimit -u`, or `pids.max` of the control \
                   group), or lower `tokio_threads` and `rayon_threads`";
    let none = "Resource temporarily unavailable (os error 11)";
    let mut windows = 0;
    // The keeper starts first and then stays. Besides it, the harness has two threads, and the
    // other test may have one, which waits for the lock.
    assert!(build_with(0).is_some());
    drop(builder().build().expect("there are threads again"));
    let mut running = named("loom-keeper") + named("refused_threads") + named("a_refusal");
    for left in 0.. {
        let Some(error) = build_with(left) else { break };
        let expected = [
            format!("the system refuses 5 threads at once: {none}{way_out}"),
            format!("the system refuses a thread: {none}{way_out}"),
            format!(
                "cannot start the compute threads: {none}; raise the limit on threads (`ulimit -u`), \
                 or lower `rayon_threads`"
            ),
        ];
        assert!(expected.contains(&error), "{left} left: {error}");
        // Tokio cannot end its first worker when the system refuses the second one.
        running += if left == 7 { 2 } else { 0 };
        // The other threads take a moment to end.
        while thread_count() != running {
            thread::yield_now();
        }
        windows += 1;
    }
    // Five threads of the probe, one that calls tokio, and five of the runtime.
    assert_eq!(windows, 11);
}

#[test]
fn a_refusal_later_delays_blocking_functions_until_there_are_threads() {
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = builder().build().expect("there are threads");
    LEFT.store(0, Ordering::SeqCst);
    let blocking: Vec<_> = (0..3).map(|i| runtime.spawn_blocking(move || i)).collect();
    // Other work is not affected.
    assert_eq!(runtime.block_on(runtime.spawn_compute(|| 7)), 7);
    runtime.shutdown();
    assert!(!runtime.is_idle());
    // Waits until the refusal is counted; then the system grants threads again.
    while runtime.refused_threads() == 0 {
        thread::yield_now();
    }
    assert!(blocking.iter().all(|task| !task.is_finished()));
    LEFT.store(-1, Ordering::SeqCst);
    for (i, task) in blocking.into_iter().enumerate() {
        assert_eq!(runtime.block_on(task).expect("no panic"), i);
    }
    runtime.block_until_idle();
}
