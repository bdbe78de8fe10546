//! The functions of the fleet, and workers in processes of their own.

use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::builder;
use super::server::Server;

const URL: &str = "LOOM_TEST_NATS_URL";
const MOST_CALLS: &str = "LOOM_TEST_MOST_CALLS";

fn is_worker() -> bool {
    std::env::var(URL).is_ok()
}

#[loom::compute(fleet, idempotent, mode = "offload")]
pub(crate) fn squared(n: u64) -> u64 {
    n * n
}

#[loom::compute(fleet, mode = "offload")]
pub(crate) fn tripled(n: u64) -> u64 {
    if is_worker() {
        println!("ran {n}");
    } else {
        RAN_HERE.lock().expect("no panic").push(n);
    }
    n * 3
}

/// The plain calls that ran in this process.
pub(crate) static RAN_HERE: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[loom::compute(fleet, mode = "offload")]
pub(crate) fn echoed(text: String) -> String {
    text
}

/// `small` comes back as so many bytes.
#[loom::compute(fleet, mode = "offload")]
pub(crate) fn grown(small: u8, bytes: usize) -> Vec<u8> {
    vec![small; bytes]
}

#[loom::compute(fleet, mode = "offload")]
pub(crate) fn fails(with: String) {
    panic!("out of {with}");
}

/// The function of the tests in which this program is not the worker.
#[loom::compute(fleet = "2", mode = "offload", key = "answered by others")]
pub(crate) fn answered_by_others(n: u32) -> String {
    format!("{} {n}", if is_worker() { "worker" } else { "here" })
}

/// What the attribute computes of the arguments panics where there are no words.
#[loom::compute(fleet, mode = "offload", size = words[0].len())]
pub(crate) async fn counted(words: Vec<String>) -> usize {
    std::future::ready(words.len()).await
}

#[loom::compute(fleet, mode = "offload")]
pub(crate) fn is_on_worker() -> bool {
    is_worker()
}

/// Says to the parent process what happens to a call.
struct Tells(String);

impl Tells {
    fn begins(call: String) -> Self {
        println!("begun {call}");
        Self(call)
    }
}

impl Drop for Tells {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

#[loom::compute(fleet, mode = "offload")]
pub(crate) async fn held(call: String) {
    let _tells = Tells::begins(call);
    pending::<()>().await;
}

static GOES_ON: Semaphore = Semaphore::const_new(0);

#[loom::compute(fleet, mode = "offload")]
pub(crate) async fn held_until_told(call: String) -> String {
    let _tells = Tells::begins(call.clone());
    GOES_ON.acquire().await.expect("it is not closed").forget();
    format!("{call} {}", if is_worker() { "on a worker" } else { "here" })
}

/// A worker in a process of its own. It is killed when this is dropped.
pub(crate) struct Worker {
    process: Child,
    input: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    pub(crate) fn start(server: &Server, most_calls: usize) -> Self {
        let this = std::env::current_exe().expect("it is running");
        let mut command = Command::new(this);
        command.args(["--exact", "members::worker_process", "--nocapture", "--test-threads", "1"]);
        command.env(URL, server.url()).env(MOST_CALLS, most_calls.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("a process");
        let input = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                seen.lock().expect("no panic").push(line);
            }
        });
        Self { process, input, lines }
    }

    async fn says(&self, line: &str) {
        while !self.lines.lock().expect("no panic").iter().any(|said| said.ends_with(line)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn has_begun(&self, call: &str) {
        self.says(&format!("begun {call}")).await;
    }

    pub(crate) async fn has_dropped(&self, call: &str) {
        self.says(&format!("dropped {call}")).await;
    }

    /// What it has printed; it is printed line by line.
    pub(crate) fn lines(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.lines)
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    pub(crate) fn has_ended(mut self) {
        let ended = self.process.wait().expect("a child");
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The body of a worker's process. Without a parent it does nothing.
#[test]
fn worker_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let most_calls = std::env::var(MOST_CALLS).expect("the parent sets it");
    let fleet = loom_fleet::Fleet::nats(url)
        .name("test")
        .lost_after(Duration::from_millis(500))
        .only_worker()
        .most_calls(most_calls.parse().expect("a number"));
    let runtime = builder().prefix("worker").fleet(fleet).build().expect("a worker");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match &*line {
            "stop" => runtime.shutdown(),
            "go on" => {
                GOES_ON.add_permits(1);
                break;
            }
            other => panic!("{other}"),
        }
    }
    runtime.block_on(runtime.wait_for_shutdown());
}
