//! The load: clients that ask one query after the other, and a task of the service whose reads from a
//! socket should take a millisecond.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Clients at once.
const CLIENTS: usize = 8;
/// What they ask in turn: few groups from many rows, many groups, and an answer of many rows.
const QUERIES: [&str; 3] = [
    "SELECT shop, count(*), sum(paid) FROM orders WHERE day BETWEEN 100 AND 250 GROUP BY shop",
    "SELECT customer, avg(paid) AS paid FROM orders GROUP BY customer ORDER BY paid DESC LIMIT 10",
    "SELECT day, shop, paid FROM orders WHERE paid > 65000",
];
/// How long the peer of a read waits before it answers.
const PEER: Duration = Duration::from_millis(1);

/// Asks queries until `ends`, and returns how many were answered.
pub fn ask(service: SocketAddr, ends: Instant) -> io::Result<usize> {
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        let client = |first: usize| {
            for query in QUERIES.iter().cycle().skip(first) {
                if Instant::now() >= ends {
                    break;
                }
                answer(service, query)?;
                // What ends later is not of this time.
                if Instant::now() < ends {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        };
        let clients: Vec<_> =
            (0..CLIENTS).map(|first| scope.spawn(move || client(first))).collect();
        clients.into_iter().try_for_each(|client| match client.join() {
            Ok(outcome) => outcome,
            Err(payload) => std::panic::resume_unwind(payload),
        })
    })
    .map(|()| answered.into_inner())
}

fn answer(service: SocketAddr, sql: &str) -> io::Result<()> {
    let sql: String = form_urlencoded::byte_serialize(sql.as_bytes()).collect();
    let mut connection = TcpStream::connect(service)?;
    write!(
        connection,
        "GET /query?sql={sql} HTTP/1.1\r\nHost: query\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    // The last chunk of the answer is empty. One that was cut short has none.
    if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\r\n0\r\n\r\n") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer);
    Err(io::Error::other(format!(
        "the service answered: {}",
        text.chars().take(500).collect::<String>()
    )))
}

/// A peer that answers each byte after a millisecond, on a thread of its own.
pub fn peer() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let (mut connection, _) = listener.accept()?;
        let mut byte = [0];
        loop {
            connection.read_exact(&mut byte)?;
            thread::sleep(PEER);
            connection.write_all(&byte)?;
        }
    });
    Ok(address)
}

/// Reads from that peer until it is told to stop, and returns how long each read took.
pub async fn reads(peer: SocketAddr, stops: &AtomicBool) -> io::Result<Vec<Duration>> {
    let mut connection = tokio::net::TcpStream::connect(peer).await?;
    connection.set_nodelay(true)?;
    let mut took = Vec::new();
    while !stops.load(Ordering::Relaxed) {
        let since = Instant::now();
        connection.write_all(&[1]).await?;
        connection.read_exact(&mut [0]).await?;
        took.push(since.elapsed());
    }
    Ok(took)
}
