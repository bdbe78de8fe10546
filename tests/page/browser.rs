//! A headless Chromium, driven by `chromedriver`.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

/// The driver's process, killed on drop. The browser ends with its session or with its driver.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Chromium-specific command.
#[derive(Debug)]
struct Cdp {
    command: &'static str,
    params: Value,
}

impl WebDriverCompatibleCommand for Cdp {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (axum::http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.params });
        (axum::http::Method::POST, Some(body.to_string()))
    }
}

impl Browser {
    pub(crate) async fn start() -> Self {
        // Another process could take the port first, but none here is expected to.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|of| of.local_addr());
        let port = port.expect("loopback has a port").port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = Driver(driver.expect("`chromedriver` is installed: see `.ci/run page`"));
        let said = driver.0.stdout.take().expect("it is piped");
        let is_up = |line: &io::Result<String>| {
            line.as_ref().is_ok_and(|line| line.contains("started successfully"))
        };
        assert!(BufReader::new(said).lines().any(|line| is_up(&line)), "the driver ended");
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-dev-shm-usage",
            ],
        });
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let url = format!("http://127.0.0.1:{port}");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&url).await;
        let client = client.unwrap_or_else(|error| panic!("no browser: {error}"));
        Self { client, driver }
    }

    pub(crate) async fn stop(self) {
        self.client.close().await.expect("the browser ends");
        drop(self.driver);
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Runs a function with this body, and returns its result.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .unwrap_or_else(|error| panic!("{error}: {script}"))
    }

    /// Waits until the condition holds; the browser gives up after half a minute.
    pub(crate) async fn until(&self, condition: &str) {
        self.run(&format!(
            "return new Promise((done) => {{
               const look = () => {condition} ? done(true) : setTimeout(look, 20);
               look();
             }})"
        ))
        .await;
    }

    pub(crate) async fn press(&self, key: &str) {
        let value = key.chars().next().expect("it is a key");
        let keys = KeyActions::new("keys".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.expect("the key is pressed");
    }

    /// Emulates a screen of this size, with this colour scheme preferred.
    pub(crate) async fn look_like(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    async fn cdp(&self, command: &'static str, params: Value) {
        self.client.issue_cmd(Cdp { command, params }).await.expect("the browser understands");
    }

    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("there is a picture")
    }

    /// The errors on its console, except for answers that did not arrive.
    pub(crate) async fn errors(&self) -> Vec<String> {
        #[derive(Debug)]
        struct Log;
        impl WebDriverCompatibleCommand for Log {
            fn endpoint(
                &self,
                base: &url::Url,
                session: Option<&str>,
            ) -> Result<url::Url, url::ParseError> {
                base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
            }

            fn method_and_body(&self, _url: &url::Url) -> (axum::http::Method, Option<String>) {
                (axum::http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
            }
        }
        let log = self.client.issue_cmd(Log).await.expect("there is a log");
        let entries = log.as_array().cloned().unwrap_or_default();
        let errors = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        let errors = errors.filter_map(|entry| entry["message"].as_str().map(str::to_owned));
        errors.filter(|message| !message.contains("net::ERR_")).collect()
    }
}
