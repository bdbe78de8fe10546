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
mod lag;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
mod pin;
#[cfg(target_os = "linux")]
mod proc;

pub(crate) use facts::{Class, CpuTicks};
pub(crate) use fork::{is_forked, watch_forks};
#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(not(target_os = "linux"))]
use other as imp;
#[cfg(not(target_os = "linux"))]
use other as reports;
#[cfg(target_os = "linux")]
use proc as reports;

pub(crate) use imp::{
    affinity, affinity_of, affinity_of_main_thread, class, count_allowed, cpu_time_of,
    cpu_time_of_process, cpu_time_of_thread, current_cpu, is_idle, move_to, no_more_threads,
    passed_since, reset_on_exec, set_affinity, set_priority, thread_id, tick, use_of_thread,
};
pub(crate) use reports::{
    ThreadFiles, be_named_as_the_process, cpu_ticks, each_child_of, each_thread, name_of,
};
