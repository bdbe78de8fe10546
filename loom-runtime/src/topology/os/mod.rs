//! The system calls of placement. Each changes the calling thread alone.
//!
//! Rule T1: a mask buffer is passed with its own length in bytes, and the kernel reads or
//! writes no more than that.
//! Rule T2: thread id 0 means the calling thread, and other ids are only used to read, so no
//! call can change another thread's state.
//! Rule T3: code that runs between `fork` and `exec`, or in a forked child, only makes system
//! calls and accesses atomics; it neither allocates nor locks.
//! Rule T4: a clock is read into a valid variable of the caller.

mod facts;
mod fork;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
mod pin;

#[cfg(feature = "dashboard")]
pub(crate) use facts::CpuTicks;
pub(crate) use facts::{Class, TimeOnCpu};
pub(crate) use fork::{is_forked, watch_forks};
#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(not(target_os = "linux"))]
use other as imp;

#[cfg(feature = "dashboard")]
pub(crate) use imp::cpu_ticks;
pub(crate) use imp::{
    affinity, affinity_of_main_thread, class, current_cpu, each_child_of, each_thread, is_idle,
    move_to, name_of, no_more_threads, reset_on_exec, set_affinity, set_priority, thread_id, tick,
    time_on_cpu,
};
