//! A client on a local core that retries a failed connection with exponential back-off, at most ten
//! times, and connects again when the server closes the connection.
//!
//! It ends when Ctrl-C or SIGTERM asks it to, and the runtime with it, or with the first error of a
//! read or of the last attempt. By itself the example talks to a server of its own that does not
//! listen for the first 50 ms; with an address, to whatever is there:
//!
//! `cargo run --example reconnect [ADDRESS]`

use std::env;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Connects. It retries up to ten times, after 10 to 20 ms, 20 to 40 ms and so on; without the
/// jitter, a delay is at most 5 s.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connect = || async {
        let connected = loom::local::timeout(CONNECT_TIME, TcpStream::connect(address)).await;
        connected.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
    };
    let backoff = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(10)
        .with_jitter();
    connect
        .retry(backoff)
        // The core's own timers.
        .sleep(loom::local::sleep)
        .notify(|error, after| println!("{error}; next try in {} ms", after.as_millis()))
        .await
}

/// Prints the lines that come from the server; connects again when the server closes.
async fn read_lines(address: SocketAddr, stop: CancellationToken) -> io::Result<()> {
    let reading = async {
        loop {
            let mut lines = BufReader::new(connect(address).await?).lines();
            while let Some(line) = lines.next_line().await? {
                println!("received: {line}");
            }
        }
    };
    // `None` if the program was asked to end.
    stop.run_until_cancelled(reading).await.unwrap_or(Ok(()))
}

/// A server that listens only after some time, answers one connection, and then asks the program to
/// end.
async fn serve(address: SocketAddr, stop: CancellationToken) -> io::Result<()> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let listener = TcpListener::bind(address).await?;
    let (mut stream, _) = listener.accept().await?;
    // Otherwise the system would take another connection, and reset it when this function ends.
    drop(listener);
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello\nand good-bye\n").await?;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.cancel();
    Ok(())
}

#[loom::main(local_cores = 1)]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = loom::current_runtime().ok_or("below `loom::main` there is one")?;
    let stop = runtime.shutdown_signal()?;
    let address = if let Some(address) = env::args().nth(1) {
        address.parse()?
    } else {
        // A port that is free now.
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        loom::spawn_async(serve(address, stop.clone()));
        address
    };
    runtime.local(0).spawn_with(move || read_lines(address, stop)).await??;
    println!("ended");
    Ok(())
}
