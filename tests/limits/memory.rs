//! The memory that a flood of calls takes.

use super::runtime;

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the system tells");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// 19 MiB, as argon2id takes by default.
fn fills_memory(password: &str) -> u64 {
    let mut memory = Vec::<u8>::with_capacity(19 << 20);
    let first = password.as_bytes()[0];
    // A byte of each page is enough.
    let pages = memory.spare_capacity_mut().iter_mut().step_by(4096);
    let sum = pages.map(|page| u64::from(*page.write(first))).sum();
    std::hint::black_box(memory);
    sum
}

#[loom::compute(mode = "offload", max_concurrent = 4)]
fn hashes_on_the_pool(password: String) -> u64 {
    fills_memory(&password)
}

#[loom::compute(mode = "inline", max_concurrent = 4)]
fn hashes_inline(password: String) -> u64 {
    fills_memory(&password)
}

/// 2,000 calls of 19 MiB each, of which a part gives up: the memory of four is taken.
#[test]
fn a_flood_takes_the_memory_of_the_limit() {
    // In a process of its own, whose memory no other test takes, and whose allocator keeps no freed memory
    // for each thread.
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(ARENAS).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.args(["--exact", "memory::a_flood_takes_the_memory_of_the_limit"]);
        assert!(child.env(ARENAS, "1").status().expect("it runs").success());
        return;
    }
    let runtime = runtime(8, 8);
    let before = resident();
    let mut most = 0;
    macro_rules! flood {
        ($hash:ident) => {
            runtime.block_on(async {
                let calls: Vec<_> = (0..2000)
                    .map(|_| loom::spawn_async($hash("correct horse".to_owned())))
                    .collect();
                for (n, call) in calls.into_iter().enumerate() {
                    if n % 3 == 0 {
                        call.abort();
                    } else {
                        call.await.expect("no panic");
                    }
                    most = most.max(resident().saturating_sub(before));
                }
            });
            assert!(most < 150 << 20, "{most} bytes above idle");
        };
    }
    flood!(hashes_on_the_pool);
    flood!(hashes_inline);
    // Each that ran took its memory.
    assert!(most > 19 << 20, "{most} bytes above idle");
}
