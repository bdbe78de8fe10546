//! Runs every case many times, each in a process of its own, which may hang or crash.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use crate::cases::{CASES, Case};

/// How long a case may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The variable that replaces the limit, in seconds.
const LIMIT_VARIABLE: &str = "PLUGIN_CASE_SECONDS";
/// The run stops after so many failures.
const MOST_FAILURES: usize = 5;
/// How many cases run at once; most of them wait most of the time.
const AT_ONCE: usize = 2;

pub fn all(folder: &Path, rounds: u32) -> ExitCode {
    let (next, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let runs: Vec<_> =
        CASES.iter().flat_map(|case| case.plugins.iter().map(move |of| (case, *of))).collect();
    let work = || {
        while let Some((case, plugins)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failures.load(Ordering::Relaxed) >= MOST_FAILURES {
                break;
            }
            let started = Instant::now();
            let failed = (0..rounds)
                .find_map(|round| one(folder, case, plugins).err().map(|error| (round, error)));
            match failed {
                None => {
                    let took = started.elapsed().as_millis();
                    println!("{:<18} {plugins:<13} {rounds:>3} times, {took:>6} ms", case.name);
                }
                Some((round, error)) => {
                    failures.fetch_add(1, Ordering::Relaxed);
                    println!("{:<18} {plugins:<13} FAILED in round {round}: {error}", case.name);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    match failures.into_inner() {
        0 => {
            println!("all cases passed");
            ExitCode::SUCCESS
        }
        failures => {
            println!("{failures} failed");
            ExitCode::FAILURE
        }
    }
}

fn one(folder: &Path, case: &Case, plugins: &str) -> Result<(), String> {
    let mut child = start(folder, case, plugins).map_err(|error| error.to_string())?;
    let seconds = env::var(LIMIT_VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    let limit = seconds.map_or(LIMIT, Duration::from_secs);
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_micros(500);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let output = child.wait_with_output().map(|output| output.stderr);
                let text = output.map(|text| String::from_utf8_lossy(&text).into_owned());
                return Err(format!("{status}\n{}", text.unwrap_or_default()));
            }
            Ok(None) if Instant::now() < deadline => {
                thread::park_timeout(pause);
                pause = (pause * 2).min(Duration::from_millis(10));
            }
            Ok(None) => {
                // The child has used up its time.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {limit:?}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Memory that an unmapped library's statics hold is lost, which is no leak of the case. So leak
/// detection is off.
fn sanitizer_options() -> (&'static str, String) {
    const NAME: &str = "ASAN_OPTIONS";
    (NAME, env::var(NAME).unwrap_or_default() + ":detect_leaks=0")
}

fn start(folder: &Path, case: &Case, plugins: &str) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .arg(folder)
        .args([case.name, plugins])
        .env("RUST_BACKTRACE", "0")
        // Overrides reach plug-ins.
        .env("LOOM_FUNCTIONS", "plugin_cases::calls::overridden=inline")
        .envs(case.unmaps.then(sanitizer_options))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}
