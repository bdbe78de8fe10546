//! The system calls of placement, each for the calling thread alone.
//!
//! Rule T1: a mask buffer is passed with its own length in bytes, and the kernel reads or
//! writes no more than that.
//! Rule T2: thread id 0 means the calling thread, so no call can reach another's state.

pub(crate) use imp::{affinity, set_affinity, set_priority};

#[cfg(target_os = "linux")]
mod imp {
    use std::io;

    use crate::topology::{ComputePriority, CpuSet};

    const BITS: usize = u64::BITS as usize;
    /// Enough for 1024 CPUs; doubled while the kernel knows of more.
    const FIRST_WORDS: usize = 1024 / BITS;
    /// Enough for half a million CPUs, far beyond any kernel's limit.
    const MOST_WORDS: usize = 8192;
    /// Weight 110 against 1024 of a normal thread.
    const NICE: libc::c_int = 10;

    /// The CPUs the calling thread may run on.
    pub(crate) fn affinity() -> io::Result<CpuSet> {
        let mut words = FIRST_WORDS;
        loop {
            let mut mask = vec![0_u64; words];
            #[expect(unsafe_code, reason = "no safe call takes masks beyond 1024 CPUs")]
            // SAFETY: T1, the vector owns exactly `size_of_val` writable bytes, aligned
            // for `u64` and so for the kernel's words; T2, id 0.
            let failed = unsafe {
                libc::sched_getaffinity(0, size_of_val(&*mask), mask.as_mut_ptr().cast()) != 0
            };
            if !failed {
                let bit = |cpu: &usize| mask[cpu / BITS] >> (cpu % BITS) & 1 == 1;
                return Ok((0..words * BITS).filter(bit).collect());
            }
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINVAL) || words >= MOST_WORDS {
                return Err(error);
            }
            words *= 2;
        }
    }

    /// Binds the calling thread to `cpus`.
    pub(crate) fn set_affinity(cpus: &CpuSet) -> io::Result<()> {
        let words = cpus.as_slice().last().map_or(1, |last| last / BITS + 1);
        let mut mask = vec![0_u64; words.max(FIRST_WORDS)];
        for cpu in cpus.as_slice() {
            mask[cpu / BITS] |= 1 << (cpu % BITS);
        }
        #[expect(unsafe_code, reason = "no safe call takes masks beyond 1024 CPUs")]
        // SAFETY: T1, the vector owns exactly `size_of_val` readable bytes; T2, id 0.
        let failed =
            unsafe { libc::sched_setaffinity(0, size_of_val(&*mask), mask.as_ptr().cast()) != 0 };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Gives the calling thread its class and tells which class it then has.
    ///
    /// A refusal is not an error: the thread goes on at what it has, which is reported.
    pub(crate) fn set_priority(wanted: ComputePriority) -> ComputePriority {
        match wanted {
            ComputePriority::Idle => {
                let parameter = libc::sched_param { sched_priority: 0 };
                #[expect(unsafe_code, reason = "no safe call sets a scheduling class")]
                // SAFETY: `parameter` lives across the call, which only reads it; T2, id 0.
                let _refused =
                    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) };
            }
            ComputePriority::Nice => {
                #[expect(unsafe_code, reason = "no safe call sets one thread's nice value")]
                // SAFETY: takes no pointer; T2, on Linux id 0 is the calling thread.
                let _refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
            }
            ComputePriority::Normal => {}
        }
        obtained()
    }

    fn obtained() -> ComputePriority {
        #[expect(unsafe_code, reason = "no safe call reads a scheduling class")]
        // SAFETY: takes no pointer; T2, id 0.
        let class = unsafe { libc::sched_getscheduler(0) };
        if class == libc::SCHED_IDLE {
            return ComputePriority::Idle;
        }
        #[expect(unsafe_code, reason = "no safe call reads one thread's nice value")]
        // SAFETY: takes no pointer; T2, on Linux id 0 is the calling thread.
        let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        if nice >= NICE { ComputePriority::Nice } else { ComputePriority::Normal }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    use crate::topology::{ComputePriority, CpuSet};

    pub(crate) fn affinity() -> io::Result<CpuSet> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_affinity(_cpus: &CpuSet) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_priority(_wanted: ComputePriority) -> ComputePriority {
        ComputePriority::Normal
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{affinity, set_affinity, set_priority};
    use crate::sync::thread;
    use crate::topology::{ComputePriority, CpuSet};

    #[test]
    fn a_mask_that_is_set_is_the_mask_that_is_read() {
        let all = affinity().expect("Linux tells a thread its mask");
        thread::spawn(move || {
            let last: CpuSet = all.as_slice().last().copied().into_iter().collect();
            set_affinity(&last).expect("a subset of the own mask is allowed");
            assert_eq!(affinity().expect("as before"), last);
        })
        .join()
        .expect("the thread's assertions hold");
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused() {
        let beyond: CpuSet = [200_000].into_iter().collect();
        assert!(set_affinity(&beyond).is_err());
    }

    #[test]
    fn a_thread_can_lower_its_own_class() {
        let class = thread::spawn(|| set_priority(ComputePriority::Idle))
            .join()
            .expect("setting a class does not panic");
        assert_eq!(class, ComputePriority::Idle);
    }
}
