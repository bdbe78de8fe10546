//! Programs that never sleep, beside the service.

use std::error::Error;
use std::hint;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

use crate::machine;

/// Busy loops, each a process of its own, which ends when this is dropped.
pub(crate) struct Neighbours(Vec<Child>);

impl Neighbours {
    pub(crate) fn start(loops: usize) -> Result<Self, Box<dyn Error>> {
        let mut all = Self(Vec::new());
        for _ in 0..loops {
            let mut command = Command::new(std::env::current_exe()?);
            all.0.push(command.arg("spin").stdin(Stdio::piped()).spawn()?);
        }
        Ok(all)
    }

    /// The CPU time that they have taken, in clock ticks.
    pub(crate) fn ticks(&self) -> io::Result<u64> {
        self.0.iter().map(|child| machine::process_ticks(child.id())).sum()
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            // It has ended, or ends with its input.
            let _ = child.wait();
        }
    }
}

/// Takes a CPU until standard input ends.
pub(crate) fn spin() {
    let waiting = std::thread::spawn(|| io::stdin().read_to_end(&mut Vec::new()));
    while !waiting.is_finished() {
        for _ in 0..100_000 {
            hint::spin_loop();
        }
    }
}
