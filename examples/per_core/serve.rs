//! Accepts connections and answers requests on one core.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// The pause after the system has run out of a resource, such as open files.
const PAUSE: Duration = Duration::from_millis(50);

/// This core's own socket on a port that other cores share: the system distributes connections
/// among their sockets.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is cancelled, and then finishes the requests that were begun.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // The runtime tracks the task, and waits for it at its end.
            Ok((stream, _)) => {
                drop(loom::local::spawn(connection(stream, router.clone(), stop.clone())));
            }
            // The client has gone, or the system lacks a resource for now: try again after a pause.
            Err(_) if loom::local::clock().delay(PAUSE).await.is_ok() => {}
            // The clock fails because the core ends.
            Err(_) => break,
        }
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // An error means that the client went away, which is no fault of the service.
    tokio::select! {
        _over = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _over = connection.await;
}
