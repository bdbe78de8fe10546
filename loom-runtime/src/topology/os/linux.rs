//! Linux: CPU masks of any size, and scheduling classes.

use std::ffi::c_ulong;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::time::Duration;

use super::Class;
use super::lag::Lag;
use super::pin::pin;
use crate::sync::OnceLock;
use crate::topology::{ComputePriority, CpuSet};

// The kernel reads a mask as an array of `c_ulong`, in the machine's byte order.
const BITS: usize = c_ulong::BITS as usize;
/// Enough for 1024 CPUs; doubled while the kernel needs a larger mask.
const FIRST_WORDS: usize = 1024 / BITS;
/// Enough for half a million CPUs, far beyond any kernel's limit.
const MOST_WORDS: usize = 1024 * 512 / BITS;
/// How much the nice value is raised: the kernel then weighs the thread 110 instead of 1024, for a
/// process of nice value 0.
const NICER: i32 = 10;
const NICEST: i32 = 19;

/// The CPUs that the calling thread may run on.
pub(crate) fn affinity() -> io::Result<CpuSet> {
    mask_of_thread(0)
}

/// The CPUs that a thread of the process may run on; `None` once it has ended.
pub(crate) fn affinity_of(thread: u32) -> Option<CpuSet> {
    mask_of_thread(thread.try_into().ok()?).ok()
}

/// The CPUs that the process's first thread may run on.
pub(crate) fn affinity_of_main_thread() -> io::Result<CpuSet> {
    mask_of_thread(main_thread())
}

/// The id of the process's first thread, which is the process id.
fn main_thread() -> libc::pid_t {
    process::id().try_into().unwrap_or(0)
}

/// How many CPUs the calling thread may run on, of those that are wanted. It does not allocate where the kernel's masks
/// are below 1024 CPUs.
pub(crate) fn count_allowed(is_wanted: impl Fn(usize) -> bool) -> io::Result<usize> {
    with_mask_of(0, |cpus| cpus.filter(|cpu| is_wanted(*cpu)).count())
}

fn mask_of_thread(thread: libc::pid_t) -> io::Result<CpuSet> {
    with_mask_of(thread, |cpus| cpus.collect())
}

/// Calls `f` with the CPUs that a thread may run on.
fn with_mask_of<R>(
    thread: libc::pid_t,
    f: impl FnOnce(&mut dyn Iterator<Item = usize>) -> R,
) -> io::Result<R> {
    let (mut few, mut many) = ([0; FIRST_WORDS], Vec::new());
    let mut mask = &mut few[..];
    loop {
        match read_mask(thread, mask) {
            Ok(()) => break,
            Err(error) => {
                let is_too_short = error.raw_os_error() == Some(libc::EINVAL);
                if !is_too_short || mask.len() >= MOST_WORDS {
                    return Err(error);
                }
            }
        }
        let longer = 2 * mask.len();
        many.resize(longer, 0);
        mask = &mut many[..];
    }
    let bit = |cpu: &usize| mask[cpu / BITS] >> (cpu % BITS) & 1 == 1;
    Ok(f(&mut (0..mask.len() * BITS).filter(bit)))
}

fn read_mask(thread: libc::pid_t, mask: &mut [c_ulong]) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe call takes masks beyond 1024 CPUs")]
    // SAFETY: T1, the slice has exactly `size_of_val` writable bytes, aligned for the kernel's
    // words; T2, the id is only used to read.
    let read =
        unsafe { libc::sched_getaffinity(thread, size_of_val(mask), mask.as_mut_ptr().cast()) };
    if read < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn mask_of(cpus: &CpuSet) -> Vec<c_ulong> {
    let words = cpus.as_slice().last().map_or(1, |last| last / BITS + 1);
    let mut mask = vec![0; words.max(FIRST_WORDS)];
    for cpu in cpus.as_slice() {
        mask[cpu / BITS] |= 1 << (cpu % BITS);
    }
    mask
}

/// Binds the calling thread to `cpus`.
pub(crate) fn set_affinity(cpus: &CpuSet) -> io::Result<()> {
    match cpus.as_slice() {
        [cpu] => bind(*cpu),
        _ => set_mask(&mask_of(cpus)),
    }
}

/// Binds the calling thread to one CPU. It does not allocate below 1024 CPUs.
fn bind(cpu: usize) -> io::Result<()> {
    pin(cpu).unwrap_or_else(|| with_mask(&[cpu], set_mask))
}

/// The CPU on which the calling thread runs at this moment.
pub(crate) fn current_cpu() -> Option<usize> {
    #[expect(unsafe_code, reason = "no safe call returns the current CPU")]
    // SAFETY: T2, it takes no argument and reads the calling thread alone.
    let cpu = unsafe { libc::sched_getcpu() };
    cpu.try_into().ok()
}

/// The CPU time of all threads of the process so far, those that have ended included.
pub(crate) fn cpu_time_of_process() -> Option<Duration> {
    read_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// The CPU time of the calling thread so far.
pub(crate) fn cpu_time_of_thread() -> Option<Duration> {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The CPU time of the calling thread so far, and how often it has given its CPU up to wait.
pub(crate) fn use_of_thread() -> Option<(Duration, u64)> {
    #[expect(unsafe_code, reason = "no safe call reads these counts")]
    // SAFETY: T4, all-zero bytes are a value of this type, which has numbers alone.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    #[expect(unsafe_code, reason = "no safe call reads these counts")]
    // SAFETY: T4, `usage` is valid, and of the type that the call writes.
    let read = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    let waits = u64::try_from(usage.ru_nvcsw).ok().filter(|_| read == 0)?;
    Some((cpu_time_of_thread()?, waits))
}

/// The CPU time of a thread of this process so far; `None` once the thread has ended.
pub(crate) fn cpu_time_of(thread: u32) -> Option<Duration> {
    // How Linux numbers the clock of a thread that counts all of its CPU time.
    const OF_A_THREAD: libc::clockid_t = 0b100;
    const ALL_TIME: libc::clockid_t = 0b010;
    let thread: libc::clockid_t = thread.try_into().ok()?;
    read_clock((!thread << 3) | OF_A_THREAD | ALL_TIME)
}

/// Rustix would read such clocks, too, but its search for the fastest way faults under Valgrind.
fn read_clock(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "no safe call reads the clock of another thread")]
    // SAFETY: T4, `time` is valid, and of the type that the call writes; T2, the id of a thread in
    // the number of a clock is only used to read.
    let read = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (seconds, nanos) = (time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
    (read == 0).then(|| Duration::new(seconds, nanos))
}

/// Nanoseconds of the kernel's coarse clock. It only changes every millisecond or every few, and
/// reading it costs a tenth of reading an exact clock. Where there is none, the exact clock in
/// steps of a millisecond.
#[inline]
pub(crate) fn tick() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "std reads no coarse clock")]
    // SAFETY: T4, `time` is valid, and of the type that the call writes.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    if read != 0 {
        let millis = read_clock(libc::CLOCK_MONOTONIC).unwrap_or_default().as_millis();
        return u64::try_from(millis * 1_000_000).unwrap_or(0);
    }
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

/// How long ago `tick` was read, at least as far as is known, now that the coarse clock has moved on: the exact
/// clock tells how long the next tick has lasted by now.
pub(crate) fn passed_since(tick: u64) -> Duration {
    static LAG: Lag = Lag::unknown();
    static STEP: OnceLock<u64> = OnceLock::new();
    let step = || {
        let mut step = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        #[expect(unsafe_code, reason = "Rustix takes it for granted that there is this clock")]
        // SAFETY: T4, `step` is valid, and of the type that the call writes.
        let read = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut step) };
        // The step of `tick` where there is none.
        if read == 0 { u64::try_from(step.tv_nsec).unwrap_or(0) } else { 1_000_000 }
    };
    // Read first, it lags no less than it seems to.
    let coarse = self::tick();
    let now = nanos(read_clock(libc::CLOCK_MONOTONIC).unwrap_or_default());
    Duration::from_nanos(LAG.passed(tick, coarse, now, *STEP.get_or_init(step)))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Moves the calling thread to one CPU, and then allows it to run on all of `cpus` again. It does
/// not allocate below 1024 CPUs. If the system refuses, the thread is not moved.
pub(crate) fn move_to(cpu: usize, cpus: &CpuSet) -> bool {
    let has_moved = bind(cpu).is_ok();
    if has_moved {
        // It cannot fail: the system granted this mask before, and a narrower one just now.
        let _ = with_mask(cpus.as_slice(), set_mask);
    }
    has_moved
}

/// Calls `f` with the mask of `cpus`, which is on the stack up to 1024 CPUs.
fn with_mask<R>(cpus: &[usize], f: impl FnOnce(&[c_ulong]) -> R) -> R {
    let words = cpus.last().map_or(1, |last| last / BITS + 1);
    let (mut few, mut many) = ([0; FIRST_WORDS], Vec::new());
    let mask = if words <= FIRST_WORDS {
        &mut few[..]
    } else {
        many.resize(words, 0);
        &mut many[..]
    };
    for cpu in cpus {
        mask[cpu / BITS] |= 1 << (cpu % BITS);
    }
    f(mask)
}

fn set_mask(mask: &[c_ulong]) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe call takes masks beyond 1024 CPUs")]
    // SAFETY: T1, the slice has exactly `size_of_val` readable bytes; T2, id 0.
    let failed = unsafe { libc::sched_setaffinity(0, size_of_val(mask), mask.as_ptr().cast()) };
    done(failed)
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the scheduling class of the calling thread, and its nice value if need be.
///
/// To return to normal from an inherited class, a thread needs a privilege, or a limit on nice
/// values that allows it.
pub(crate) fn set_priority(wanted: ComputePriority) -> io::Result<()> {
    let own = class();
    match wanted {
        ComputePriority::Idle | ComputePriority::Auto => set_policy(libc::SCHED_IDLE),
        ComputePriority::Nice => set_nice(own.nice.max(own.base_nice + NICER).min(NICEST)),
        ComputePriority::Normal => {
            if own.is_idle {
                set_policy(libc::SCHED_OTHER)?;
            }
            if own.nice > own.base_nice { set_nice(own.base_nice) } else { Ok(()) }
        }
    }
}

fn set_policy(policy: libc::c_int) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: 0 };
    #[expect(unsafe_code, reason = "no safe call sets a scheduling class")]
    // SAFETY: `parameter` lives across the call, which only reads it; T2, id 0.
    let failed = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) };
    done(failed)
}

fn set_nice(nice: i32) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe call sets one thread's nice value")]
    // SAFETY: takes no pointer; T2, on Linux id 0 is the calling thread.
    let failed = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    done(failed)
}

/// The class of the calling thread.
pub(crate) fn class() -> Class {
    #[expect(unsafe_code, reason = "no safe call reads a scheduling class")]
    // SAFETY: takes no pointer; T2, id 0.
    let policy = unsafe { libc::sched_getscheduler(0) };
    let is_idle = policy == libc::SCHED_IDLE;
    Class { is_idle, nice: nice_of(0), base_nice: nice_of(main_thread()) }
}

fn nice_of(thread: libc::pid_t) -> i32 {
    let who = thread.try_into().unwrap_or(0);
    #[expect(unsafe_code, reason = "no safe call reads one thread's nice value")]
    // SAFETY: takes no pointer; T2, on Linux an id is a thread's, and is only used to read.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, who) };
    nice
}

/// Whether a thread, or the first thread of a process, is of the idle class.
pub(crate) fn is_idle(thread: u32) -> bool {
    let Ok(thread) = thread.try_into() else { return false };
    #[expect(unsafe_code, reason = "no safe call reads a scheduling class")]
    // SAFETY: takes no pointer; T2, the id is only used to read.
    let policy = unsafe { libc::sched_getscheduler(thread) };
    policy == libc::SCHED_IDLE
}

/// The error that the system returns when it refuses a thread.
pub(crate) fn no_more_threads() -> io::Error {
    io::Error::from_raw_os_error(libc::EAGAIN)
}

/// The system's id of the calling thread.
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
pub(crate) fn thread_id() -> Option<u32> {
    #[expect(unsafe_code, reason = "no safe call returns a thread's id")]
    // SAFETY: T2, it takes no argument and returns the calling thread's own id.
    let id = unsafe { libc::gettid() };
    Some(id.unsigned_abs())
}

/// Makes a child process start with this mask and at normal priority, as far as the system allows.
pub(crate) fn reset_on_exec(command: &mut Command, cpus: &CpuSet) {
    let (mask, nice) = (mask_of(cpus), class().base_nice);
    let reset = move || {
        // A failure is ignored: a child with another mask or class is better than no child.
        let _ = set_mask(&mask);
        let own = class();
        if own.is_idle {
            let _ = set_policy(libc::SCHED_OTHER);
        }
        if own.nice > nice {
            let _ = set_nice(nice);
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "no safe call runs code in the child before its program")]
    // SAFETY: T3, the mask was made before; the closure only makes system calls.
    unsafe {
        command.pre_exec(reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::thread;

    #[test]
    fn a_mask_that_is_set_is_the_mask_that_is_read() {
        let all = affinity().expect("Linux returns a thread's mask");
        thread::spawn(move || {
            let last: CpuSet = all.as_slice().last().copied().into_iter().collect();
            set_affinity(&last).expect("a subset of the own mask is allowed");
            assert_eq!(affinity().expect("as before"), last);
            assert_eq!(affinity_of_main_thread().expect("as before"), all);
        })
        .join()
        .expect("the thread's assertions hold");
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused() {
        // Below and beyond the masks of a fixed size; the system's own error in both cases.
        for cpu in [1_023, 200_000] {
            let beyond: CpuSet = [cpu].into_iter().collect();
            let error = set_affinity(&beyond).expect_err("no machine has this CPU");
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        }
    }

    #[test]
    fn a_thread_can_lower_its_own_class() {
        for wanted in [ComputePriority::Idle, ComputePriority::Nice, ComputePriority::Normal] {
            let class = thread::spawn(move || {
                set_priority(wanted).expect("lowering needs no privilege");
                class()
            });
            let class = class.join().expect("setting a class does not panic");
            assert!(class.is(wanted), "{class:?} is not {wanted}");
        }
    }
}
