//! Tokio's facilities, inside tasks that the host polls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::plugin::TokioContext;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::attached;

/// Runs a task on the host's workers to its end.
fn in_a_task<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let task = attached().spawn(future);
    attached().block_on(task).expect("it may wait").expect("it ends")
}

const MOMENT: Duration = Duration::from_millis(2);

pub(crate) fn timers() {
    in_a_task(async {
        tokio::time::sleep(MOMENT).await;
        let never = std::future::pending::<()>();
        assert!(tokio::time::timeout(MOMENT, never).await.is_err());
        let mut ticks = tokio::time::interval(MOMENT);
        for _ in 0..3 {
            ticks.tick().await;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(100)) => panic!("it is not so late"),
            () = attached().host().sleep(MOMENT) => {}
        }
    });
}

pub(crate) fn sockets() {
    in_a_task(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let server = attached().spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("it is read");
            text
        });
        let mut client = tokio::net::TcpStream::connect(address).await.expect("a server");
        client.write_all(b"hello").await.expect("it is written");
        drop(client);
        assert_eq!(server.await.expect("it ends"), "hello");

        let one = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let other = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        one.send_to(b"datagram", other.local_addr().expect("bound")).await.expect("it is sent");
        let mut bytes = [0; 16];
        let (n, _) = other.recv_from(&mut bytes).await.expect("it is received");
        assert_eq!(&bytes[..n], b"datagram");

        let (mut near, mut far) = tokio::net::UnixStream::pair().expect("a pair");
        near.write_all(b"x").await.expect("it is written");
        assert_eq!(far.read_u8().await.expect("it is read"), b'x');
    });
}

pub(crate) fn files() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    in_a_task(async {
        let name = format!(
            "loom-plugin-{}-{}-{:p}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed),
            &raw const NEXT,
        );
        let path = std::env::temp_dir().join(name);
        tokio::fs::write(&path, b"contents").await.expect("it is written");
        assert_eq!(tokio::fs::read(&path).await.expect("it is read"), b"contents");
        tokio::fs::remove_file(&path).await.expect("it is there");
    });
}

pub(crate) fn processes() {
    in_a_task(async {
        let output = tokio::process::Command::new("echo").arg("out").output();
        assert_eq!(output.await.expect("it runs").stdout, b"out\n");
        let mut child = tokio::process::Command::new("sleep").arg("100").spawn().expect("it runs");
        child.kill().await.expect("it ends");
    });
}

pub(crate) fn signals() {
    in_a_task(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut usr2 = signal(SignalKind::user_defined2()).expect("a handler");
        let pid = std::process::id().to_string();
        let kill =
            tokio::process::Command::new("sh").arg("-c").arg(format!("kill -USR2 {pid}")).status();
        assert!(kill.await.expect("it runs").success());
        usr2.recv().await.expect("it comes");
    });
}

tokio::task_local! {
    static LOCAL: u32;
}

pub(crate) fn tasks() {
    in_a_task(async {
        assert_eq!(tokio::spawn(async { 1 }).await.expect("it ends"), 1);
        assert_eq!(tokio::task::spawn_blocking(|| 2).await.expect("it ends"), 2);
        let mut set = tokio::task::JoinSet::new();
        for n in 0..10 {
            set.spawn(async move { n });
        }
        assert_eq!(set.join_all().await.into_iter().sum::<u32>(), 45);
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let sends = tokio::spawn(async move {
            for n in 0..100_u32 {
                sender.send(n).await.expect("somebody listens");
            }
        });
        let mut sum = 0;
        while let Some(n) = receiver.recv().await {
            sum += n;
        }
        sends.await.expect("it ends");
        assert_eq!(sum, 4950);
        let local = LOCAL.scope(5, async {
            tokio::task::yield_now().await;
            LOCAL.get()
        });
        assert_eq!(local.await, 5);
        assert_eq!(tokio::task::block_in_place(|| 6), 6);
        let named = tokio::runtime::Handle::current().runtime_flavor();
        assert_eq!(named, tokio::runtime::RuntimeFlavor::MultiThread);
    });
}

/// How many of the messages in a channel one poll receives.
async fn taken_at_once() -> usize {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..1000_u32 {
        sender.send(n).expect("somebody listens");
    }
    std::future::poll_fn(|cx| {
        let mut taken = 0;
        while receiver.poll_recv(cx).is_ready() {
            taken += 1;
            if taken == 1000 {
                break;
            }
        }
        std::task::Poll::Ready(taken)
    })
    .await
}

/// A task has the same budget as tokio's own tasks, and each poll has a new one.
pub(crate) fn budget() {
    let driver = attached().runtime().tokio_handle().clone();
    let of_tokio = driver.block_on(driver.spawn(taken_at_once()));
    let of_tokio = of_tokio.expect("it ends");
    assert!((2..1000).contains(&of_tokio), "tokio has a budget: {of_tokio}");
    for _ in 0..3 {
        assert_eq!(in_a_task(taken_at_once()), of_tokio);
    }
    let without = attached().spawn_within(TokioContext::Entered, taken_at_once());
    let without = attached().block_on(without).expect("it may wait").expect("it ends");
    assert_eq!(without, 1000);
}

/// What each `TokioContext` provides.
pub(crate) fn contexts() {
    for (context, has_tokio) in
        [(TokioContext::Budget, true), (TokioContext::Entered, true), (TokioContext::None, false)]
    {
        let found = attached()
            .spawn_within(context, async { tokio::runtime::Handle::try_current().is_ok() });
        let found = attached().block_on(found).expect("it may wait").expect("it ends");
        assert_eq!(found, has_tokio, "{context:?}");
    }
    // Destructors run in the same context as polls.
    struct Spawns(std::sync::mpsc::Sender<bool>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let _ = self.0.send(tokio::runtime::Handle::try_current().is_ok());
        }
    }
    let (sender, dropped) = std::sync::mpsc::channel();
    let spawns = Spawns(sender);
    let task = attached().spawn(async move {
        let _spawns = spawns;
        std::future::pending::<()>().await;
    });
    task.abort();
    assert_eq!(dropped.recv(), Ok(true));
}

/// A task that always finds a message ready, 200,000 times.
pub(crate) fn busy() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..100 {
        sender.send(()).expect("somebody listens");
    }
    let again = sender.clone();
    drop(attached().spawn(async move {
        for _ in 0..200_000 {
            receiver.recv().await.expect("there is one");
            again.send(()).expect("this one listens");
        }
    }));
}

/// Polled on a thread that another tokio runtime of this library drives, a future still finds the
/// plug-in's runtime.
pub(crate) fn within_another() {
    let driver = attached().runtime().tokio_handle().clone();
    let inside = || {
        attached().within(TokioContext::Budget, async {
            let never = tokio::time::timeout(MOMENT, std::future::pending::<()>());
            assert!(never.await.is_err());
            tokio::runtime::Handle::current().id()
        })
    };
    assert_eq!(driver.block_on(inside()), driver.id());
    let other = tokio::runtime::Builder::new_current_thread().build().expect("it is built");
    assert_eq!(other.block_on(inside()), driver.id());
    let workers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let workers = workers.expect("it is built");
    let there = workers.block_on(workers.spawn(inside()));
    assert_eq!(there.expect("it ends"), driver.id());
}
