//! Accepting and answering, on one core.

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
/// How long to wait where the system has no more to give, such as open files.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket of this core's own, on a port that others may have as well: the system divides
/// connections among them.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Answers until told to stop, and then what was begun.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // Tracked by the runtime, which waits for it at the end.
            Ok((stream, _)) => {
                drop(loom::local::spawn(connection(stream, router.clone(), stop.clone())));
            }
            // The client has gone, or the system is short of something: it may pass.
            Err(_) if loom::local::clock().delay(PAUSE).await.is_ok() => {}
            // The core ends.
            Err(_) => break,
        }
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // That a client went away is nobody's fault here.
    tokio::select! {
        _over = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _over = connection.await;
}
