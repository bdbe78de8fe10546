//! A client on a local core that connects again with exponential back-off, until it is asked to end.
//!
//! Ctrl-C or SIGTERM ends its loop, and then the runtime. By itself the example talks to a server
//! of its own that refuses the first connections; with an address, to whatever is there:
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

/// Connects, and tries again after 10, 20, 40 ms and so on, at most ten times.
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
