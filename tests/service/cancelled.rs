//! A client that disconnects: queued calls never run, and running ones stop half-way.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::Service;

/// Large enough that decoding takes a while.
const SIDE: u32 = 3000;
const REQUESTS: u64 = 6;
/// How many rounds of clients are tried until one thumbnail is seen to stop half-way.
const ROUNDS: usize = 50;

#[tokio::test]
async fn work_for_a_client_that_has_gone_stops() {
    let service = Service::start();
    let picture = image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
        image::Rgb([x, y, x ^ y].map(|n| n.to_le_bytes()[0]))
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).expect("it can be encoded");
    let head = format!(
        "POST /thumbnail?width=1000 HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n\
         content-length: {}\r\n\r\n",
        png.get_ref().len(),
    );
    for _ in 0..ROUNDS {
        let mut connections = Vec::new();
        for _ in 0..REQUESTS {
            let mut connection =
                TcpStream::connect(service.addr).await.expect("the service listens");
            connection.write_all(head.as_bytes()).await.expect("the service reads");
            connection.write_all(png.get_ref()).await.expect("the service reads");
            connections.push(connection);
        }
        // More calls than compute threads: some run, and some wait.
        while service.get("/loom/data").await.json()["compute"]["in_flight"].as_u64() < Some(3) {
            tokio::task::yield_now().await;
        }
        drop(connections);
        loop {
            let page = service.get("/loom/data").await.json();
            if page["compute"]["in_flight"] == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let stopped = service.get("/stats").await.json()["thumbnails_stopped"].as_u64();
        if stopped > Some(0) {
            let seen = service.function("thumbnail::shrink").await;
            assert!(seen["abandoned"].as_u64() > stopped, "those that waited never ran: {seen}");
            return;
        }
    }
    panic!("in {ROUNDS} rounds no thumbnail was stopped half-way");
}
