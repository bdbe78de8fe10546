//! One annotated function in a program that has no Loom runtime.
//!
//! A test binary of its own, since the compute pool that it uses belongs to the process.

use std::thread;

#[loom::compute(hint = "high")]
fn heavy(n: u64) -> (u64, String) {
    ((1..=n).sum(), thread::current().name().unwrap_or_default().to_owned())
}

#[loom::compute(hint = "high")]
fn uses_tokio() -> tokio::task::JoinHandle<u32> {
    tokio::spawn(async { 7 })
}

#[loom::compute(hint = "high")]
fn fails() {
    panic!("as told");
}

#[tokio::test]
async fn it_runs_on_a_pool_of_the_process() {
    assert!(loom::current_runtime().is_none());
    let (sum, thread) = heavy(100).await;
    assert_eq!(sum, 5_050);
    // On a busy machine the pool of normal priority runs it.
    let pools = ["loom-rayon-", "loom-norm-"];
    assert!(pools.iter().any(|pool| thread.starts_with(pool)), "{thread}");
    let functions = loom::functions();
    let heavy = functions.iter().find(|function| function.name == "plain_tokio::heavy");
    assert!(heavy.is_some_and(|function| function.calls() >= 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_on_worker_threads_too() {
    let task = tokio::spawn(async { heavy(1_000).await.0 });
    assert_eq!(task.await.expect("it does not panic"), 500_500);
}

#[tokio::test]
async fn compute_work_reaches_the_runtime_that_asked() {
    assert_eq!(uses_tokio().await.await.expect("it does not panic"), 7);
}

#[tokio::test]
async fn a_panic_reaches_the_awaiting_task() {
    let error = tokio::spawn(fails()).await.expect_err("it panicked");
    assert_eq!(error.into_panic().downcast_ref(), Some(&"as told"));
    assert_eq!(heavy(1).await.0, 1);
}

#[tokio::test]
async fn spawning_by_hand_works_without_a_runtime_too() {
    assert_eq!(loom::spawn_compute(|| 1).await, 1);
    assert_eq!(loom::spawn_adaptive(|| 2).await, 2);
}

#[tokio::test]
#[should_panic(expected = "`loom::spawn_async` needs a Loom runtime")]
async fn spawn_async_says_what_is_missing() {
    drop(loom::spawn_async(async {}));
}

#[test]
fn it_works_under_an_executor_that_is_not_tokio() {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(heavy(10));
    let (sum, _) = loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => break result,
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!(sum, 55);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_calls_are_not_looked_at_in_a_plain_program_either() {
    #[loom::compute(hint = "low")]
    fn next(n: u64) -> u64 {
        std::hint::black_box(n) + 1
    }
    let mut n = 0;
    while n < 10_000 {
        n = next(n).await;
    }
    let functions = loom::functions();
    let next = functions.iter().find(|function| function.name.ends_with("::next"));
    let next = next.expect("it was called");
    assert_eq!(next.calls(), 10_000);
    assert!(next.run_times.count() < 5_000, "{next:?}");
}

/// Why a call ran where it did, by what the program knows of the function.
fn reason_of(name: &str) -> loom::mab::Reason {
    let functions = loom::functions();
    let function = functions.iter().find(|function| function.name.ends_with(name));
    function.and_then(|function| function.verdict).expect("it was called").reason
}

/// 100 µs by its hint: more than the only worker may be blocked, and less than one of several may.
macro_rules! medium {
    ($name:ident) => {
        #[loom::compute(hint = "medium")]
        fn $name() {}
    };
}

#[test]
fn each_tokio_runtime_has_its_own_number_of_workers() {
    medium!(on_one_of_two);
    medium!(on_one_of_one);
    medium!(on_a_current_thread);
    medium!(on_one_of_two_again);
    let workers = |n| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(n).build().expect("it starts")
    };
    let (two, one) = (workers(2), workers(1));
    let current = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    two.block_on(two.spawn(async { on_one_of_two().await })).expect("it does not panic");
    assert_eq!(reason_of("::on_one_of_two"), loom::mab::Reason::Cost);
    one.block_on(one.spawn(async { on_one_of_one().await })).expect("it does not panic");
    assert_eq!(reason_of("::on_one_of_one"), loom::mab::Reason::LoneWorker);
    // This thread drives one runtime after another.
    current.block_on(on_a_current_thread());
    assert_eq!(reason_of("::on_a_current_thread"), loom::mab::Reason::LoneWorker);
    two.block_on(on_one_of_two_again());
    assert_eq!(reason_of("::on_one_of_two_again"), loom::mab::Reason::Cost);
}
