//! A Prometheus server that scrapes one program.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

use serde_json::Value;

/// What Prometheus is told: to look at the program five times a second.
const SETTINGS: &str = "
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: loom
    static_configs:
      - targets: [\"PROGRAM\"]
";

/// It ends, and its data is removed, when this is dropped.
pub(super) struct Prometheus {
    child: Child,
    folder: PathBuf,
    addr: SocketAddr,
}

impl Prometheus {
    pub(super) fn scraping(program: SocketAddr) -> Self {
        let folder = env::temp_dir().join(format!("loom-prometheus-{}", process::id()));
        fs::create_dir_all(&folder).expect("there is room for it");
        let settings = folder.join("prometheus.yml");
        let text = SETTINGS.replace("PROGRAM", &program.to_string());
        fs::write(&settings, text).expect("there is room for it");
        let addr = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .expect("`prometheus` is installed: `.ci/run page` sees to it");
        Self { child, folder, addr }
    }

    pub(super) fn assert_it_runs(&mut self) {
        let ended = self.child.try_wait().expect("it is a child");
        assert!(
            ended.is_none(),
            "the Prometheus server ended: {ended:?}; another program may have its port"
        );
    }

    /// The series that a query returns now, or what is wrong with it. `None` while the server starts.
    pub(super) fn query(&self, query: &str) -> Option<Result<Vec<Value>, String>> {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            .finish();
        let answer: Value =
            serde_json::from_str(&get(self.addr, &format!("/api/v1/query?{query}"))?).ok()?;
        if answer["status"] == "success" {
            return Some(Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default()));
        }
        Some(Err(answer["error"].to_string()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only if the server has ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

/// A port that nobody has at this moment: the server cannot tell which one it took.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    listener.local_addr().expect("it is bound")
}

/// The body of an answer, or `None` where nobody answers.
fn get(addr: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    // An answer to HTTP 1.0 ends with the connection, and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {addr}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}
