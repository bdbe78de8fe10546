//! What a body may do, and that it comes to the same on either arm: each function runs inline and on
//! the compute pool, and has the same outcome there.

use std::cell::Cell;
use std::env;
use std::num::ParseIntError;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, Span, dispatcher, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// The panic of a call, as its task reports it.
async fn panic_of<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> String {
    let failed = tokio::spawn(call).await.err().expect("it panics");
    let payload = failed.into_panic();
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}

mod plain {
    use super::*;

    #[loom::compute]
    fn computes(n: u64) -> u64 {
        (1..=n).product()
    }

    #[loom::compute]
    fn allocates(n: usize) -> Vec<u8> {
        vec![7; n]
    }

    #[loom::compute]
    fn returns_early(text: &'static str) -> Result<u32, ParseIntError> {
        let n: u32 = text.parse()?;
        Ok(n + 1)
    }

    #[loom::compute]
    fn recurses(n: u64) -> u64 {
        if n < 2 { n } else { recurses(n - 1) + recurses(n - 2) }
    }

    #[loom::compute]
    fn panics_with_a_text(n: u32) -> u32 {
        assert!(n > 9, "{n} at line {}", line!());
        n
    }

    #[loom::compute]
    fn panics_with_a_value() -> u32 {
        std::panic::panic_any("a value")
    }

    struct Notes(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl Drop for Notes {
        fn drop(&mut self) {
            self.1.lock().expect("nobody panics").push(self.0);
        }
    }

    #[loom::compute]
    fn drops_its_arguments(first: Notes, _second: Notes, third: Notes) {
        drop(third);
        let _ = &first;
    }

    #[loom::test(arm = "both")]
    async fn it_computes_allocates_and_returns() {
        assert_eq!(computes(10).await, 3_628_800);
        assert_eq!(allocates(5).await, [7; 5]);
        assert_eq!(returns_early("1").await, Ok(2));
        assert!(returns_early("x").await.is_err());
        assert_eq!(recurses(12).await, 144);
    }

    #[loom::test(arm = "both")]
    async fn it_panics_where_it_is_awaited() {
        let text = panic_of(panics_with_a_text(3)).await;
        assert!(text.starts_with("3 at line "), "{text}");
        assert_eq!(panic_of(panics_with_a_value()).await, "a value");
    }

    #[loom::test(arm = "both")]
    async fn it_drops_its_arguments_in_the_order_of_a_function() {
        let notes = Arc::default();
        let [first, second, third] =
            ["first", "second", "third"].map(|name| Notes(name, Arc::clone(&notes)));
        drops_its_arguments(first, second, third).await;
        assert_eq!(*notes.lock().expect("nobody panics"), ["third", "second", "first"]);
    }
}

mod waits {
    use super::*;

    #[loom::compute]
    fn locks(counter: Arc<Mutex<u32>>, names: Arc<RwLock<Vec<u32>>>) -> u32 {
        let mut counter = counter.lock().expect("nobody panics");
        *counter += 1;
        names.write().expect("nobody panics").push(*counter);
        *counter
    }

    #[loom::compute]
    fn waits_for_a_message(messages: mpsc::Receiver<u32>) -> Option<u32> {
        loom::block_in_place(|| messages.recv().ok())
    }

    #[loom::compute]
    fn waits_for_a_lock_of_tokio(counter: Arc<tokio::sync::Mutex<u32>>) -> u32 {
        loom::block_in_place(|| {
            let mut counter = counter.blocking_lock();
            *counter += 1;
            *counter
        })
    }

    #[loom::compute]
    fn waits_for_a_future(answer: oneshot::Receiver<u32>) -> Option<u32> {
        loom::block_in_place(|| Handle::current().block_on(answer).ok())
    }

    #[loom::compute]
    fn waits_for_a_thread(n: u32) -> u32 {
        loom::block_in_place(|| thread::spawn(move || n + 1).join().expect("it does not panic"))
    }

    #[loom::compute]
    fn waits_for_a_process() -> Option<String> {
        let mut command = Command::new(env::current_exe().ok()?);
        loom::command_reset(&mut command).args(["--list", "no test has this name"]);
        let output = loom::block_in_place(|| command.output()).ok()?;
        String::from_utf8(output.stdout).ok()
    }

    #[loom::test(arm = "both")]
    async fn it_locks() {
        let (counter, names) = (Arc::default(), Arc::default());
        for n in 1..=3 {
            assert_eq!(locks(Arc::clone(&counter), Arc::clone(&names)).await, n);
        }
        assert_eq!(*names.read().expect("nobody panics"), [1, 2, 3]);
    }

    #[loom::test(arm = "both")]
    async fn it_blocks_in_place() {
        let (sender, messages) = mpsc::channel();
        let waiting = tokio::spawn(waits_for_a_message(messages));
        sender.send(4).expect("it is waited for");
        assert_eq!(waiting.await.expect("it does not panic"), Some(4));

        let counter = Arc::new(tokio::sync::Mutex::new(0));
        let held = counter.lock().await;
        let waiting = tokio::spawn(waits_for_a_lock_of_tokio(Arc::clone(&counter)));
        drop(held);
        assert_eq!(waiting.await.expect("it does not panic"), 1);

        let (sender, answer) = oneshot::channel();
        let waiting = tokio::spawn(waits_for_a_future(answer));
        sender.send(5).expect("it is waited for");
        assert_eq!(waiting.await.expect("it does not panic"), Some(5));

        assert_eq!(waits_for_a_thread(6).await, 7);
        let list = waits_for_a_process().await.expect("it is started");
        assert!(list.contains("0 tests"), "{list}");
    }
}

mod starts {
    use super::*;

    #[loom::compute]
    fn iterates_in_parallel(n: u64) -> u64 {
        (1..=n).into_par_iter().map(|n| n * n).sum()
    }

    #[loom::compute]
    fn joins(n: u64) -> (u64, u64) {
        rayon::join(|| n + 1, || n + 2)
    }

    #[loom::compute]
    fn spawns_a_task(n: u32) -> JoinHandle<u32> {
        tokio::spawn(async move { n + 1 })
    }

    #[loom::compute]
    fn spawns_a_task_of_looms(n: u32) -> JoinHandle<u32> {
        loom::spawn_async(async move { n + 1 })
    }

    #[loom::compute]
    fn spawns_blocking_work(n: u32) -> JoinHandle<u32> {
        loom::spawn_blocking(move || n + 1)
    }

    #[loom::compute]
    fn spawns_compute_work(done: oneshot::Sender<u32>, n: u32) {
        loom::spawn_compute(move || done.send(n + 1)).detach();
    }

    #[loom::compute]
    fn starts_a_thread(n: u32) -> thread::JoinHandle<u32> {
        thread::spawn(move || n + 1)
    }

    #[loom::compute]
    fn makes_a_timer() -> tokio::time::Interval {
        tokio::time::interval(Duration::from_secs(1))
    }

    #[loom::test(arm = "both")]
    async fn it_works_in_parallel() {
        assert_eq!(iterates_in_parallel(100).await, 338_350);
        assert_eq!(joins(1).await, (2, 3));
    }

    #[loom::test(arm = "both")]
    async fn it_starts_tasks_threads_and_timers() {
        assert_eq!(spawns_a_task(1).await.await.expect("it ends"), 2);
        assert_eq!(spawns_a_task_of_looms(2).await.await.expect("it ends"), 3);
        assert_eq!(spawns_blocking_work(3).await.await.expect("it ends"), 4);
        let (done, is_done) = oneshot::channel();
        spawns_compute_work(done, 4).await;
        assert_eq!(is_done.await, Ok(5));
        assert_eq!(starts_a_thread(5).await.join().expect("it ends"), 6);
        makes_a_timer().await.tick().await;
    }
}

mod finds {
    use super::*;

    tokio::task_local! {
        static TENANT: u32;
    }

    thread_local! {
        static SCRATCH: Cell<u32> = const { Cell::new(0) };
    }

    #[loom::compute(carry(TENANT))]
    fn a_task_local() -> Option<u32> {
        TENANT.try_with(|tenant| *tenant).ok()
    }

    #[loom::compute]
    fn the_runtime() -> Option<String> {
        loom::current_runtime().map(|runtime| runtime.config().prefix.clone())
    }

    #[loom::compute]
    fn tokios_handle() -> Option<tokio::runtime::Id> {
        Handle::try_current().ok().map(|handle| handle.id())
    }

    #[loom::compute]
    fn a_task_local_that_is_not_named() -> Option<u32> {
        TENANT.try_with(|tenant| *tenant).ok()
    }

    #[loom::compute]
    fn is_within_looms_pool() -> bool {
        rayon::current_thread_index().is_some()
    }

    #[loom::test(arm = "inline")]
    async fn inline_it_is_part_of_its_task() {
        assert_eq!(TENANT.scope(3, a_task_local_that_is_not_named()).await, Some(3));
        assert!(!is_within_looms_pool().await);
    }

    #[loom::test(arm = "offload")]
    async fn on_the_pool_it_is_not() {
        assert_eq!(TENANT.scope(3, a_task_local_that_is_not_named()).await, None);
        assert!(is_within_looms_pool().await);
    }

    #[loom::compute]
    fn the_subscriber() -> bool {
        dispatcher::get_default(tracing::Dispatch::is::<Registry>)
    }

    #[loom::compute]
    fn the_span() -> Option<&'static str> {
        Span::current().metadata().map(tracing::Metadata::name)
    }

    #[loom::compute]
    fn the_place_of_its_panic() {
        panic!("{PLACED}");
    }

    /// The text of a panic whose place is noted.
    const PLACED: &str = "a panic with a place";

    static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[loom::compute]
    fn whether_it_is_cancelled() -> bool {
        loom::is_cancelled()
    }

    #[loom::compute]
    fn a_thread_local(n: u32) -> u32 {
        SCRATCH.set(n);
        SCRATCH.replace(0)
    }

    #[loom::compute]
    fn a_static(counter: &'static AtomicUsize) -> usize {
        counter.fetch_add(1, Ordering::Relaxed)
    }

    #[loom::test(arm = "both")]
    async fn it_finds_what_its_caller_has() {
        assert_eq!(TENANT.scope(3, a_task_local()).await, Some(3));
        assert_eq!(a_task_local().await, None);
        assert_eq!(the_runtime().await.as_deref(), Some("loom"));
        assert_eq!(tokios_handle().await, Some(Handle::current().id()));
        assert!(!whether_it_is_cancelled().await);
    }

    #[loom::test(arm = "both")]
    async fn it_finds_the_span_and_the_subscriber_of_its_caller() {
        let finds = async {
            assert!(the_subscriber().await);
            assert_eq!(the_span().await, None);
            assert_eq!(the_span().instrument(info_span!("outer")).await, Some("outer"));
        };
        // At `TRACE`, each call would have a span of its own.
        finds.with_subscriber(Registry::default().with(LevelFilter::INFO)).await;
        assert!(!the_subscriber().await);
    }

    #[loom::test(arm = "both")]
    async fn its_panic_has_its_own_place() {
        static NOTED: Once = Once::new();
        NOTED.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if panic.to_string().contains(PLACED) {
                    let place = panic.location().expect("it has one").to_string();
                    return PLACES.lock().expect("nobody panics").push(place);
                }
                before(panic);
            }));
        });
        let before = PLACES.lock().expect("nobody panics").len();
        assert_eq!(panic_of(the_place_of_its_panic()).await, PLACED);
        let places = PLACES.lock().expect("nobody panics");
        assert_eq!(places.len(), before + 1);
        assert!(places[before].contains("matrix.rs"), "{places:?}");
        assert_eq!(places[0], places[before], "the same on either arm");
    }

    #[loom::test(arm = "both")]
    async fn it_finds_thread_locals_and_statics() {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        let before = COUNTER.load(Ordering::Relaxed);
        assert_eq!(a_thread_local(8).await, 8);
        assert_eq!(a_static(&COUNTER).await, before);
        assert_eq!(a_static(&COUNTER).await, before + 1);
    }
}
