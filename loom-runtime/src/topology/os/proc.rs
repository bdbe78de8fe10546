//! Linux: what the kernel reports about threads, processes and CPUs in `/proc`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, RawDir};

use super::CpuTicks;

/// Calls `f` with the id of each thread of the process. It does not allocate, since it is called
/// while calls must not allocate either.
pub(crate) fn each_thread(mut f: impl FnMut(u32)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open("/proc/self/task", flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let id = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        if let Some(id) = id {
            f(id);
        }
    }
}

/// Calls `f` with each process that a thread of this process has started and that has not ended;
/// with as many as fit a kilobyte. It does not allocate, as above.
pub(crate) fn each_child_of(thread: u32, f: impl FnMut(u32)) {
    let mut buffer = [0; 1024];
    let ids = read_of_thread(thread, "children", &mut buffer).unwrap_or_default();
    // The last one may be cut off where the buffer ends.
    ids.split_inclusive(' ').filter_map(|id| id.strip_suffix(' ')?.parse().ok()).for_each(f);
}

/// The name of a thread, or of a process's first thread.
pub(crate) fn name_of(thread: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{thread}/comm")).ok()?;
    Some(text.trim_end().to_owned())
}

/// Names the calling thread as the process's first thread is named, as far as the system shows it. A new
/// thread has the name of the thread that started it.
pub(crate) fn be_named_as_the_process() {
    if let Ok(name) = fs::read_to_string("/proc/self/comm") {
        // A name is for people; without `/proc` it stays.
        let _ = fs::write("/proc/thread-self/comm", name.trim_end());
    }
}

/// The files in which the kernel reports on one thread of this process. They stay open, so that
/// a look opens nothing.
#[derive(Debug)]
pub(crate) struct ThreadFiles {
    times: File,
    state: File,
}

impl ThreadFiles {
    /// `None` once the thread has ended, or if the process may open no more files.
    pub(crate) fn open(thread: u32) -> Option<Self> {
        let [times, state] = ["schedstat", "stat"].map(|name| open_of_thread(thread, name));
        Some(Self { times: times?, state: state? })
    }

    /// How long the thread ran so far, and how long it was ready to run while something else ran;
    /// `None` once it has ended. Linux adds the time that a thread waits when the thread runs next.
    pub(crate) fn times(&self) -> Option<[Duration; 2]> {
        let mut buffer = [0; 256];
        // Both in nanoseconds; the number of slices follows.
        let mut times = read_again(&self.times, &mut buffer)?.split(' ');
        let mut next = || Some(Duration::from_nanos(times.next()?.parse().ok()?));
        Some([next()?, next()?])
    }

    /// Whether the thread is ready to run, or running.
    pub(crate) fn is_runnable(&self) -> bool {
        self.state(&mut [0; 1024]).is_some_and(|state| state.starts_with('R'))
    }

    /// The CPU on which the thread ran last.
    #[cfg(feature = "dashboard")]
    pub(crate) fn last_cpu(&self) -> Option<usize> {
        // It is the thirty-ninth field.
        self.state(&mut [0; 1024])?.split(' ').nth(36)?.parse().ok()
    }

    /// `stat` from the state on, which is the third field. The name before it is in parentheses,
    /// and may contain parentheses itself.
    fn state<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a str> {
        read_again(&self.state, buffer)?.rsplit(") ").next()
    }
}

fn read_again<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a str> {
    let length = file.read_at(buffer, 0).ok()?;
    str::from_utf8(&buffer[..length]).ok()
}

/// What each CPU did so far; empty where that cannot be read.
pub(crate) fn cpu_ticks() -> Vec<CpuTicks> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    text.lines().filter_map(ticks_of_line).collect()
}

/// Parses a line such as `cpu0 user nice system idle iowait irq softirq steal …`.
fn ticks_of_line(line: &str) -> Option<CpuTicks> {
    let (name, times) = line.split_once(' ')?;
    let cpu = name.strip_prefix("cpu")?.parse().ok()?;
    // Only eight fields: the time of guests, which follows, is part of user and nice.
    let ticks: Vec<u64> = times.split(' ').take(8).map_while(|n| n.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Some(CpuTicks { cpu, busy: all - idle, all })
}

/// The text of the file `name` that the kernel has for a thread. It does not allocate, since it is
/// called while calls must not allocate either.
fn read_of_thread<'a>(thread: u32, name: &str, buffer: &'a mut [u8]) -> Option<&'a str> {
    let length = open_of_thread(thread, name)?.read(buffer).ok()?;
    str::from_utf8(&buffer[..length]).ok()
}

fn open_of_thread(thread: u32, name: &str) -> Option<File> {
    let mut path = [0; 64];
    let mut rest = &mut path[..];
    write!(rest, "/proc/self/task/{thread}/{name}").ok()?;
    let unused = rest.len();
    let length = path.len() - unused;
    File::open(str::from_utf8(&path[..length]).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::thread;
    use crate::topology::os::{cpu_time_of, thread_id};

    #[test]
    fn a_thread_that_runs_gathers_time() {
        let id = thread_id().expect("Linux numbers its threads");
        let files = ThreadFiles::open(id).expect("the thread is here");
        let before = files.times().expect("the thread is here");
        assert!(files.is_runnable(), "the thread runs this test");
        let mut now = before;
        while now[0] == before[0] {
            now = files.times().expect("the thread is here");
        }
        assert!(now[0] > before[0]);
        assert!(ThreadFiles::open(u32::MAX).is_none());
    }

    #[test]
    fn a_thread_that_has_ended_reports_nothing() {
        let id = || thread_id().expect("Linux numbers its threads");
        let own = move || (id(), ThreadFiles::open(id()).expect("the thread is here"));
        let (id, files) = thread::spawn(own).join().expect("it does not panic");
        while cpu_time_of(id).is_some() {
            thread::yield_now();
        }
        assert_eq!((files.times(), files.is_runnable()), (None, false));
    }

    #[test]
    fn a_cpu_is_busy_for_all_but_two_of_its_times() {
        let line = "cpu3 10 1 20 400 50 2 3 4 900 0";
        let ticks = ticks_of_line(line).expect("it is a CPU's line");
        assert_eq!(ticks, CpuTicks { cpu: 3, busy: 40, all: 490 });
        assert_eq!(ticks_of_line("cpu  10 1 20 400 50 2 3 4 900 0"), None, "the sum of all CPUs");
        assert_eq!(ticks_of_line("intr 1 2 3"), None);
    }
}
