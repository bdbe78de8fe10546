//! A tonic service on plain tokio, whose method computes. It asks itself once and ends; with `--serve` it goes
//! on.

use std::error::Error;

use digest::digests_client::DigestsClient;
use digest::digests_server::{Digests, DigestsServer};
use digest::{Body, Digested};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

mod digest {
    tonic::include_proto!("digest");
}

/// Nanoseconds for a line, milliseconds for a picture.
#[loom::compute(size = body.len())]
fn digest_of(body: Vec<u8>) -> u64 {
    body.iter().fold(7, |digest: u64, byte| digest.rotate_left(5) ^ u64::from(*byte))
}

struct Service;

#[tonic::async_trait]
impl Digests for Service {
    async fn digest(&self, request: Request<Body>) -> Result<Response<Digested>, Status> {
        let digest = digest_of(request.into_inner().bytes).await;
        Ok(Response::new(Digested { digest }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}");
    let router = Server::builder().add_service(DigestsServer::new(Service));
    let served = tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    if std::env::args().any(|argument| argument == "--serve") {
        return Ok(served.await??);
    }
    let mut client = DigestsClient::connect(url).await?;
    let body = Body { bytes: b"a body of some bytes".to_vec() };
    let digest = client.digest(body).await?.into_inner().digest;
    println!("{digest:016x}");
    Ok(())
}
