//! A NATS server of a test's own, on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

pub(crate) struct Server {
    port: u16,
    process: Option<Child>,
    most_bytes: usize,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with_messages_of(1 << 20)
    }

    /// A server that takes messages of so many bytes.
    pub(crate) fn with_messages_of(most_bytes: usize) -> Self {
        let mut server = Self::reserve();
        server.most_bytes = most_bytes;
        server.begin();
        server
    }

    /// An address at which no server is.
    pub(crate) fn reserve() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        Self { port, process: None, most_bytes: 1 << 20 }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts the server, and waits until it listens.
    pub(crate) fn begin(&mut self) {
        let program = std::env::var("LOOM_NATS_SERVER").expect("`.ci/run fleet` sets it");
        let config = std::env::temp_dir().join(format!("loom-nats-{}.conf", self.port));
        let text =
            format!("listen: \"127.0.0.1:{}\"\nmax_payload: {}\n", self.port, self.most_bytes);
        std::fs::write(&config, text).expect("a file");
        let mut command = Command::new(&program);
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        self.process = Some(process);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                drop(std::fs::remove_file(&config));
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("the server does not listen at {address}");
    }

    /// Ends it with SIGKILL.
    pub(crate) fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
