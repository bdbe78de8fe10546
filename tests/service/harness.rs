//! Starts the service as a process and talks to it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The example, built if it is not up to date. `cargo test` usually builds it; a run of this
/// test alone does not.
pub(crate) fn program() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        escargot::CargoBuild::new()
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .example("service")
            .current_release()
            .run()
            .expect("the example builds")
            .path()
            .to_owned()
    });
    Command::new(path)
}

/// A running service; killed when the test is done with it.
pub(crate) struct Service {
    child: Child,
    /// Kept open, since the service may write more.
    stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(args: &[&str]) -> Self {
        let listen: &[&str] =
            if args.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = program()
            // Requests must not be shed because the test machine is busy.
            .args(["--drill", "--longest-wait", "60000"])
            .args(listen)
            .args(args)
            // Beside busy neighbours, a request that has begun in the idle class takes a minute.
            .env("SERVICE_COMPUTE_PRIORITY", "normal")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example runs");
        // Standard error is closed, as when a log collector has died; the service must go on.
        drop(child.stderr.take());
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the service says where it listens");
        let addr = line
            .trim_end()
            .strip_prefix("listening on http://")
            .and_then(|addr| addr.parse().ok())
            .unwrap_or_else(|| panic!("an unexpected first line: {line:?}"));
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { child, stdout, addr, client }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], Bytes::new()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        self.ask(Method::POST, path, &[("content-type", content_type)], body.into()).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", body.to_string()).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        self.try_ask(method, path, headers, body).await.expect("the service answers")
    }

    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, hyper_util::client::legacy::Error> {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("the test's request is well formed");
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let content_type = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().expect("it is ASCII").to_owned())
            .unwrap_or_default();
        let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
        Ok(Answer { status, content_type, body })
    }

    /// The entry in `GET /loom/data` for the function whose path ends with `name`.
    pub(crate) async fn function(&self, name: &str) -> Value {
        let page = self.get("/loom/data").await.json();
        let functions = page["functions"].as_array().expect("it lists functions").clone();
        functions
            .into_iter()
            .find(|function| function["name"].as_str().is_some_and(|n| n.ends_with(name)))
            .unwrap_or(Value::Null)
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id fits");
        #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
        // SAFETY: takes no pointer; the child is ours and not yet waited for, so its id
        // cannot belong to another process.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the signal is sent");
    }

    /// Waits for the end, and returns the status and the rest of the output.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("standard output is text");
        (self.child.wait().expect("the child is ours"), rest)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail if the test has already waited for the end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    /// The error text of a refusal.
    pub(crate) fn sentence(&self) -> String {
        self.json()["error"].as_str().expect("a refusal is a sentence").to_owned()
    }
}

pub(crate) fn data(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/service/data/");
    std::fs::read(format!("{folder}{name}")).expect("the demo's input is in the repository")
}
