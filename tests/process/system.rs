//! System calls that the scenes need and that no safe crate has.
//!
//! Rule S1: data that a call gets by pointer outlives the call and has the length that is passed.
//! Rule S2: code in a forked child ends the child before it could return into the harness.

use std::collections::BTreeMap;
use std::fs;

use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

/// Makes these calls fail with `EPERM`, for every thread of the process from now on.
pub(crate) fn deny(calls: &[libc::c_long]) {
    let rules: BTreeMap<i64, Vec<_>> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH).expect("an architecture it knows");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch);
    let program: seccompiler::BpfProgram =
        filter.expect("the rules are sound").try_into().expect("it compiles");
    apply_filter_all_threads(&program).expect("a process may deny itself anything");
}

/// Some hundred microseconds of CPU time.
pub(crate) fn work() {
    for n in 0..10_000 {
        std::hint::black_box(n);
    }
}

/// Lowers the calling thread to the idle class.
pub(crate) fn become_idle() {
    let parameter = libc::sched_param { sched_priority: 0 };
    #[expect(unsafe_code, reason = "no safe call sets a scheduling class")]
    // SAFETY: S1, the call only reads the parameter.
    let failed = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) };
    assert_eq!(failed, 0, "lowering needs no privilege");
}

/// Binds the calling thread to its first CPU.
pub(crate) fn pin() {
    let first = cpus_allowed().first().copied().expect("a thread has a CPU");
    let mut mask = [0_u64; 16];
    mask[first / 64] |= 1 << (first % 64);
    #[expect(unsafe_code, reason = "no safe call binds a thread")]
    // SAFETY: S1, the call reads `size_of_val(&mask)` bytes of the mask.
    let failed = unsafe { libc::sched_setaffinity(0, size_of_val(&mask), mask.as_ptr().cast()) };
    assert_eq!(failed, 0, "a part of the own mask is allowed");
}

/// The CPUs of the calling thread, as the kernel reports them.
pub(crate) fn cpus_allowed() -> Vec<usize> {
    allowed_in(&fs::read_to_string("/proc/thread-self/status").expect("Linux tells"))
}

/// The CPUs in the kernel's description of a thread.
pub(crate) fn allowed_in(status: &str) -> Vec<usize> {
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed
        .expect("it is there")
        .trim()
        .split(',')
        .flat_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse::<usize>().expect("a number");
            number(first)..=number(last)
        })
        .collect()
}

/// Runs `child` in a forked process and returns the code that it ended with.
pub(crate) fn in_fork(child: impl FnOnce() -> i32) -> i32 {
    #[expect(unsafe_code, reason = "the standard library does not fork without exec")]
    // SAFETY: S2, and the C library keeps its allocator usable in the child.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let code = child();
        #[expect(unsafe_code, reason = "the harness must not run twice")]
        // SAFETY: S2, it ends the process.
        unsafe {
            libc::_exit(code)
        }
    }
    let mut status = 0;
    #[expect(unsafe_code, reason = "the child is not the standard library's")]
    // SAFETY: S1, the call writes one number.
    let waited = unsafe { libc::waitpid(process, &raw mut status, 0) };
    assert_eq!(waited, process);
    libc::WEXITSTATUS(status)
}
