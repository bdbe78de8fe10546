//! A plug-in that does I/O: it serves a port of its own, and answers through that port.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use interface::{Reply, Text};
use loom::plugin::Attach;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

loom::plugin::export!("echo", start);

static ADDRESS: std::sync::OnceLock<watch::Receiver<Option<SocketAddr>>> =
    std::sync::OnceLock::new();

/// The host has loaded this library.
fn start(attach: Attach<'_>) -> Result<(), Box<dyn Error>> {
    let attached = attach.start()?;
    let (sender, address) = watch::channel(None);
    // The task runs on the host's I/O workers; this library's own tokio drives the sockets.
    drop(attached.spawn(async move {
        if let Err(error) = serve(sender).await {
            eprintln!("echo: {error}");
        }
    }));
    ADDRESS.set(address).map_err(|_| "it was loaded before".into())
}

async fn serve(address: watch::Sender<Option<SocketAddr>>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    address.send_replace(Some(listener.local_addr()?));
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut from, mut to) = stream.split();
            io::copy(&mut from, &mut to).await
        });
    }
}

async fn ask(text: String) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut address = ADDRESS.get().ok_or("it was not started")?.clone();
    let address = address.wait_for(Option::is_some).await?.ok_or("it has no port")?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    let mut echoed = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut echoed)).await??;
    Ok(format!("{} bytes, there and back by {address}", echoed.len()))
}

#[unsafe(no_mangle)]
static INTERFACE_VERSION: u32 = interface::VERSION;

#[unsafe(no_mangle)]
extern "C" fn answer(request: Text<'_>, reply: Reply) {
    let text = request.to_text();
    // If the host has ended, the reply is dropped, which reports that there is no answer.
    let Some(attached) = loom::plugin::current() else { return };
    drop(attached.try_spawn(async move {
        match ask(text).await {
            Ok(answer) => reply.send(&answer),
            Err(error) => reply.send(&format!("no answer: {error}")),
        }
    }));
}
