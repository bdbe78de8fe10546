//! A hyper service on plain tokio, whose handler computes. It asks itself once and ends; with `--serve` it goes
//! on.

use std::error::Error;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// Nanoseconds for a line, milliseconds for a picture.
#[loom::compute(size = body.len())]
fn digest(body: Bytes) -> u64 {
    body.iter().fold(7, |digest: u64, byte| digest.rotate_left(5) ^ u64::from(*byte))
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let digest = digest(body).await;
    Ok(Response::new(Full::from(format!("{digest:016x}\n"))))
}

/// Takes connections until the listener fails.
async fn serve(listener: TcpListener) -> Result<(), std::io::Error> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service_fn(|request| loom::observe("digest", answer(request)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // What goes wrong with one connection is its client's.
        tokio::spawn(async { drop(connection.await) });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("listening on {url}");
    let served = tokio::spawn(serve(listener));
    if std::env::args().any(|argument| argument == "--serve") {
        return Ok(served.await??);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(url).body(Full::<Bytes>::from("a body of some bytes"))?;
    let body = client.request(request).await?.into_body().collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
