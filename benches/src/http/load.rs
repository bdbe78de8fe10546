//! The load: requests are sent when they are due, whether or not earlier ones are answered.
//!
//! One thread with its own poll loop, so that the load uses little of the machine that it
//! shares with the service. Every latency counts from the time at which the request was
//! due, so a stall of the service also counts for all requests that were due meanwhile.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::schedule::{Due, LoadOptions, Seen, schedule};
use crate::machine;
use crate::statistics::percentile;

/// An answer that comes later than that is not in time.
const IN_TIME: Duration = Duration::from_millis(200);

/// The token of the timer; connections are numbered from 0.
const TIMER: Token = Token(usize::MAX);
const MOST_CONNECTIONS: usize = 8_000;
/// How many connections are opened before the load begins, for either kind of request.
const FIRST_CONNECTIONS: usize = 32;
/// How long answers may take after the last request.
const PATIENCE: Duration = Duration::from_secs(5);

struct Connection {
    stream: TcpStream,
    is_fast: bool,
    /// The bytes to send once the connection is open.
    unsent: Option<Vec<u8>>,
    /// When its request was due.
    asked: Option<Duration>,
    is_cheap: bool,
    answer: Vec<u8>,
}

struct Load {
    addr: SocketAddr,
    poll: Poll,
    connections: Vec<Connection>,
    /// Separate lists, so that heavy requests cannot use up the connections of fast ones.
    idle_fast: Vec<usize>,
    idle_slow: Vec<usize>,
    started: Instant,
    counted: std::ops::Range<Duration>,
    fast: Vec<u32>,
    slow: Vec<u32>,
    cheap: Vec<u32>,
    late: Vec<u32>,
    slow_answers: u32,
    in_time: u32,
    fast_open: usize,
    slow_open: usize,
    /// Whether the load waits for the answers of slow requests, too.
    finish: bool,
    refused: usize,
}

/// Sends one schedule and prints the figures as JSON.
pub(crate) fn load(options: &LoadOptions) -> Result<(), Box<dyn Error>> {
    let schedule = schedule(options);
    let from = Duration::from_secs_f64(options.warm_up);
    let to = from + Duration::from_secs_f64(options.seconds);
    let mut load = Load {
        addr: SocketAddr::from(([127, 0, 0, 1], options.port)),
        poll: Poll::new()?,
        connections: Vec::new(),
        idle_fast: Vec::new(),
        idle_slow: Vec::new(),
        started: Instant::now(),
        counted: from..to,
        fast: Vec::new(),
        slow: Vec::new(),
        cheap: Vec::new(),
        late: Vec::new(),
        slow_answers: 0,
        in_time: 0,
        fast_open: 0,
        slow_open: 0,
        finish: options.finish,
        refused: 0,
    };
    for is_fast in [true, false] {
        for _ in 0..FIRST_CONNECTIONS {
            let stream = std::net::TcpStream::connect(load.addr)?;
            stream.set_nonblocking(true)?;
            let connection = load.connect(TcpStream::from_std(stream), is_fast)?;
            load.idle(is_fast).push(connection);
        }
    }
    load.run(&schedule)?;
    println!("{}", serde_json::to_string(&load.seen(&schedule)?)?);
    Ok(())
}

impl Load {
    fn run(&mut self, schedule: &[Due]) -> Result<(), Box<dyn Error>> {
        let mut timer =
            File::from(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?);
        self.poll.registry().register(
            &mut SourceFd(&timer.as_raw_fd()),
            TIMER,
            Interest::READABLE,
        )?;
        let mut events = Events::with_capacity(256);
        let mut next = schedule.iter().peekable();
        self.started = Instant::now();
        let give_up = self.counted.end + PATIENCE + 2 * self.counted.end;
        loop {
            while let Some(due) = next.next_if(|due| due.at <= self.started.elapsed()) {
                self.send(due)?;
            }
            let wake = match next.peek() {
                Some(due) => due.at,
                // Slow requests count only with `finish`: at overload they would take far too long.
                None if self.fast_open > 0 || self.finish && self.slow_open > 0 => give_up,
                None => return Ok(()),
            };
            let now = self.started.elapsed();
            if now >= give_up {
                return Ok(());
            }
            set(&timer, wake.saturating_sub(now))?;
            if let Err(error) = self.poll.poll(&mut events, None)
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &events {
                if event.token() == TIMER {
                    // The event itself is enough; the number of expirations is not needed.
                    let _ = timer.read(&mut [0; 8]);
                } else {
                    self.connections[event.token().0].flush()?;
                    self.receive(event.token().0);
                }
            }
        }
    }

    fn idle(&mut self, is_fast: bool) -> &mut Vec<usize> {
        if is_fast { &mut self.idle_fast } else { &mut self.idle_slow }
    }

    fn connect(&mut self, stream: TcpStream, is_fast: bool) -> io::Result<usize> {
        let index = self.connections.len();
        let mut connection = Connection {
            stream,
            is_fast,
            unsent: None,
            asked: None,
            is_cheap: false,
            answer: Vec::new(),
        };
        self.poll.registry().register(
            &mut connection.stream,
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        self.connections.push(connection);
        Ok(index)
    }

    fn send(&mut self, due: &Due) -> io::Result<()> {
        let index = match self.idle(due.is_fast).pop() {
            Some(index) => index,
            None if self.connections.len() < MOST_CONNECTIONS => {
                // Does not wait for the connection: a service that accepts none must not stop the
                // load.
                self.connect(TcpStream::connect(self.addr)?, due.is_fast)?
            }
            // The request counts as unanswered.
            None => return Ok(()),
        };
        let connection = &mut self.connections[index];
        connection.asked = Some(due.at);
        connection.is_cheap = due.is_cheap;
        connection.unsent = Some(due.request.clone());
        connection.flush()?;
        self.fast_open += usize::from(due.is_fast);
        self.slow_open += usize::from(!due.is_fast);
        if self.counted.contains(&due.at) {
            self.late.push(micros(self.started.elapsed().saturating_sub(due.at)));
        }
        Ok(())
    }

    /// Handles the data that has arrived on a connection.
    fn receive(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.has_answer() {
            return;
        }
        let now = self.started.elapsed();
        let (is_fast, is_cheap) = (connection.is_fast, connection.is_cheap);
        let is_ok = connection.answer.starts_with(b"HTTP/1.1 200");
        let is_refused = connection.answer.starts_with(b"HTTP/1.1 503");
        connection.answer.clear();
        let Some(due) = connection.asked.take() else { return };
        self.idle(is_fast).push(index);
        self.fast_open -= usize::from(is_fast);
        self.slow_open -= usize::from(!is_fast);
        if is_ok && !is_fast && self.counted.contains(&now) {
            self.slow_answers += 1;
            self.in_time += u32::from(now.saturating_sub(due) <= IN_TIME);
        }
        if is_refused {
            self.refused += usize::from(self.counted.contains(&due));
        } else if is_ok && self.counted.contains(&due) {
            let latencies = if is_fast { &mut self.fast } else { &mut self.slow };
            let latency = micros(now.saturating_sub(due));
            latencies.push(latency);
            if is_cheap {
                self.cheap.push(latency);
            }
        }
    }

    fn seen(mut self, schedule: &[Due]) -> Result<Seen, Box<dyn Error>> {
        let of = |is_fast: bool| {
            let is_it = |due: &&Due| due.is_fast == is_fast && self.counted.contains(&due.at);
            schedule.iter().filter(is_it).count()
        };
        let lost_fast = of(true).saturating_sub(self.fast.len());
        let lost_slow = of(false).saturating_sub(self.slow.len() + self.refused);
        // An answer that never came counts as the latest of all. Slow requests count only with
        // `finish`, since otherwise the load does not wait for them.
        self.fast.extend(repeat_n(u32::MAX, lost_fast));
        if self.finish {
            self.slow.extend(repeat_n(u32::MAX, lost_slow));
        }
        for samples in [&mut self.fast, &mut self.slow, &mut self.cheap, &mut self.late] {
            samples.sort_unstable();
        }
        let length = self.counted.end.saturating_sub(self.counted.start).as_secs_f64();
        let at = |samples: &[u32], percent| f64::from(percentile(samples, percent));
        Ok(Seen {
            fast_p50: at(&self.fast, 50.0),
            fast_p90: at(&self.fast, 90.0),
            fast_p99: at(&self.fast, 99.0),
            fast_p999: at(&self.fast, 99.9),
            slow_p50: at(&self.slow, 50.0),
            slow_p99: at(&self.slow, 99.0),
            cheap_p50: at(&self.cheap, 50.0),
            cheap_p99: at(&self.cheap, 99.0),
            slow_rate: f64::from(self.slow_answers) / length,
            in_time_rate: f64::from(self.in_time) / length,
            refused: self.refused,
            unanswered: lost_fast + lost_slow,
            late_p99: at(&self.late, 99.0),
            ticks: machine::process_ticks(std::process::id())?,
        })
    }
}

impl Connection {
    /// Sends the request if the connection is open by now; otherwise the next event tries again.
    fn flush(&mut self) -> io::Result<()> {
        let Some(request) = &self.unsent else { return Ok(()) };
        match self.stream.write(request) {
            Ok(n) if n == request.len() => {
                self.unsent = None;
                Ok(())
            }
            Ok(_) => Err(io::Error::other("a socket has no room for one request")),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the available data; true once the answer is complete.
    fn has_answer(&mut self) -> bool {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => self.answer.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_would_block) => break,
            }
        }
        is_complete(&self.answer)
    }
}

/// Whether an answer is complete: its head, and as many bytes as the head states.
fn is_complete(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&answer[..head]);
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    answer.len() >= head + 4 + length.unwrap_or(0)
}

/// Makes the timer readable after `after`, or at once if that is zero.
fn set(timer: &File, after: Duration) -> io::Result<()> {
    let value = Timespec {
        tv_sec: after.as_secs().try_into().unwrap_or(i64::MAX),
        // A value of zero would stop the timer.
        tv_nsec: after.subsec_nanos().max(u32::from(after.is_zero())).into(),
    };
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let when = Itimerspec { it_interval: never, it_value: value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &when)?;
    Ok(())
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
