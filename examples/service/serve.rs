//! Serves until it is asked to stop, and then finishes started requests.
//!
//! On a signal the service
//! 1. accepts the connections that wait to be accepted, and closes its listening socket;
//! 2. sends `Connection: close` with each answer from then on, so that clients disconnect;
//! 3. waits a moment for new connections to send the request that they were opened for;
//! 4. closes idle connections, finishes every request under way, and ends.

use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// Step 3: how long a connection may take to send its first request.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// Serves `router` until `stopped` becomes true, and finishes started requests. A client that
/// needs longer than `drain_limit` to send or read the rest is cut off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopped: watch::Receiver<bool>,
    drain_limit: Duration,
) -> Result<(), String> {
    let for_answers = stopped.clone();
    let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let stopped = for_answers.clone();
        async move {
            let mut answer = next.run(request).await;
            if *stopped.borrow() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    }));
    let (closed, listener_closed) = oneshot::channel();
    let listener = ClosingListener::new(listener, stopped.clone(), closed);
    let idle_may_go = async {
        // An error means that the listener is gone, which is the awaited event, too.
        let _ = listener_closed.await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(idle_may_go);
    let too_late = async {
        until(stopped).await;
        tokio::time::sleep(drain_limit).await;
    };
    tokio::select! {
        served = served => served.map_err(|error| format!("serving failed: {error}")),
        () = too_late => Err(format!(
            "some clients did not finish within {} seconds of the signal and were cut off",
            drain_limit.as_secs()
        )),
    }
}

/// SIGINT and SIGTERM, which are caught once this exists.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn catch() -> Result<Self, String> {
        let catch = |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// The first signal makes the service stop in order, the second one ends the process.
    pub(crate) async fn forward(mut self, stop: watch::Sender<bool>) {
        tokio::select! {
            () = self.next() => {}
            () = stop.closed() => return,
        }
        stop.send_replace(true);
        say("finishing what was started; signal again to end at once");
        tokio::select! {
            () = self.next() => {
                say("second signal, ending without the rest");
                process::exit(1);
            }
            () = stop.closed() => {}
        }
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Writes to the operator. Errors are ignored, since standard error may be a closed pipe.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "service: {message}");
}

/// Resolves once the value is true.
async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, so no signal could arrive any more.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// A listener that, once it is asked to stop, accepts waiting connections and closes its socket.
struct ClosingListener {
    listener: Option<TcpListener>,
    addr: io::Result<SocketAddr>,
    stopped: watch::Receiver<bool>,
    waiting: VecDeque<(TcpStream, SocketAddr)>,
    closed: Option<oneshot::Sender<()>>,
}

impl ClosingListener {
    fn new(
        listener: TcpListener,
        stopped: watch::Receiver<bool>,
        closed: oneshot::Sender<()>,
    ) -> Self {
        Self {
            addr: listener.local_addr(),
            listener: Some(listener),
            stopped,
            waiting: VecDeque::new(),
            closed: Some(closed),
        }
    }

    /// Step 1: accepts every waiting connection. A connection that comes after the last `accept`
    /// finds the socket closed.
    fn close(&mut self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        loop {
            // Does not block, since tokio made the socket non-blocking.
            match listener.accept() {
                Ok((stream, addr)) => {
                    stream.set_nonblocking(true)?;
                    self.waiting.push_back((TcpStream::from_std(stream)?, addr));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Listener for ClosingListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            tokio::select! {
                connection = Listener::accept(listener) => return connection,
                () = until(self.stopped.clone()) => {}
            }
        }
        if let Some(listener) = self.listener.take()
            && let Err(error) = self.close(listener)
        {
            say(&format!("connections that were waiting may be lost: {error}"));
        }
        if let Some(connection) = self.waiting.pop_front() {
            return connection;
        }
        if let Some(closed) = self.closed.take() {
            // The receiver is gone if serving was cut off.
            let _ = closed.send(());
        }
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.addr {
            Ok(addr) => Ok(*addr),
            Err(error) => Err(error.kind().into()),
        }
    }
}
