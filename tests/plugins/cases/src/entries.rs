//! Waiting on threads that must not wait.

use loom::plugin::BlockOnError;

use crate::attached;

fn refused() -> BlockOnError {
    attached().block_on(async {}).expect_err("it must not wait")
}

/// The same as a panic, where a function cannot return an error.
fn panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let waited = std::panic::catch_unwind(|| attached().runtime().block_on(async {}));
    std::panic::set_hook(hook);
    let payload = waited.expect_err("it must not wait");
    let text = payload.downcast_ref::<String>().expect("a text");
    assert!(text.contains("await the future"), "{text}");
}

pub(crate) fn refused_on_a_worker() {
    let attached = attached();
    let told = attached.block_on(async {
        let task = attached.spawn(async {
            panics();
            refused()
        });
        let nested = refused();
        let of_driver = tokio::spawn(async { refused() }).await.expect("it ends");
        [task.await.expect("it ends"), nested, of_driver]
    });
    assert_eq!(told, Ok([BlockOnError::OnAWorker; 3]));
}

pub(crate) fn refused_on_compute_threads() {
    let attached = attached();
    let told = attached.block_on(async {
        let own = loom::spawn_compute(|| {
            panics();
            refused()
        });
        let hosts = attached.host().compute(loom::Priority::Normal, refused);
        [own.await, hosts.await.expect("it does not panic")]
    });
    assert_eq!(told, Ok([BlockOnError::OnAComputeThread; 2]));
    assert_eq!(attached.runtime().install(refused), BlockOnError::OnAComputeThread);
}

/// The host calls this on one of its threads that must not wait.
pub(crate) fn refused_here() {
    refused();
    panics();
}

pub(crate) fn allowed_elsewhere() {
    let attached = attached();
    assert_eq!(attached.block_on(async { 1 }), Ok(1));
    let other = attached.clone();
    let thread = std::thread::spawn(move || other.block_on(async { 2 }));
    assert_eq!(thread.join().expect("it ends"), Ok(2));
    let blocking = attached.block_on(async {
        tokio::task::spawn_blocking(|| crate::attached().block_on(async { 3 })).await
    });
    assert_eq!(blocking.expect("it may wait").expect("it ends"), Ok(3));
    let guarded = attached.runtime().enter();
    assert_eq!(attached.block_on(async { 4 }), Ok(4));
    drop(guarded);
    assert_eq!(attached.runtime().block_on(async { 5 }), 5);
}
