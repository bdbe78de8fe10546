//! Bodies that block: tokio refuses them on the threads that drive its tasks, so they run on the compute
//! pool after the first refusal at the latest.

use std::sync::Arc;
use std::task::{Context, Waker};

use futures_core::future::BoxFuture;
use loom::mab::{MabKnobs, Reason};
use loom::{Arm, FunctionStats, LoomBuilder, LoomRuntime};
use tokio::sync::{Mutex, mpsc};

fn builder() -> LoomBuilder {
    // Panics of compute threads in the idle class take a minute beside busy neighbours.
    let builder = LoomBuilder::new().compute_priority(loom::ComputePriority::Normal);
    builder.tokio_threads(2).rayon_threads(2).pin(loom::Pin::No)
}

fn runtime() -> LoomRuntime {
    builder().build().expect("the system has threads")
}

fn stats(runtime: &LoomRuntime, name: &str) -> FunctionStats {
    let mut functions = runtime.functions().into_iter();
    functions.find(|function| function.name.ends_with(name)).expect("it was called")
}

/// The text of the panic of a task, if it panicked.
async fn told<T: Send + 'static>(
    runtime: &LoomRuntime,
    call: impl Future<Output = T> + Send + 'static,
) -> Option<String> {
    let failed = runtime.spawn_async(call).await.err()?;
    let payload = failed.into_panic();
    let text = payload.downcast_ref::<String>().cloned();
    Some(
        text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .expect("a text"),
    )
}

/// What people read: which function, why, and what to do.
fn is_explained(text: &str, name: &str) -> bool {
    ["from within a runtime", "where blocking is not allowed", "multi-threaded runtime"]
        .iter()
        .any(|words| text.contains(words))
        && text.contains(&format!("{name}` ran inline"))
        && text.contains("mode = \"offload\"")
        && text.contains("loom::block_in_place")
}

#[loom::compute]
fn adds_one(sum: Arc<Mutex<u64>>) {
    *sum.blocking_lock() += 1;
}

#[test]
fn of_many_calls_that_block_at_most_one_fails_and_says_what_to_do() {
    const CALLS: usize = 20_000;
    let runtime = runtime();
    let sum = Arc::new(Mutex::new(0));
    let failed = runtime.block_on(async {
        let mut failed = Vec::new();
        for _ in 0..CALLS {
            failed.extend(told(&runtime, adds_one(Arc::clone(&sum))).await);
        }
        failed
    });
    assert!(failed.len() <= 1, "{} calls failed", failed.len());
    for text in &failed {
        assert!(is_explained(text, "blocking::adds_one"), "{text}");
        assert!(text.contains("from now on"), "{text}");
    }
    assert_eq!(*sum.blocking_lock(), (CALLS - failed.len()) as u64);
    if failed.len() == 1 {
        let stats = stats(&runtime, "blocking::adds_one");
        let verdict = stats.verdict.expect("it was called");
        assert_eq!((verdict.arm, verdict.reason), (Arm::OffloadRayon, Reason::Refused));
        assert!(verdict.explain().starts_with("GR4"), "{}", verdict.explain());
        let counted = runtime.prometheus_metrics().gr4_activations.get();
        assert!(counted > 0, "each call that it keeps away is counted");
    }
}

#[loom::compute(mode = "offload")]
fn adds_one_offloaded(sum: Arc<Mutex<u64>>) {
    *sum.blocking_lock() += 1;
}

#[test]
fn an_offloaded_function_may_block() {
    let runtime = runtime();
    let sum = Arc::new(Mutex::new(0));
    runtime.block_on(async {
        for _ in 0..20_000 {
            adds_one_offloaded(Arc::clone(&sum)).await;
        }
    });
    assert_eq!(*sum.blocking_lock(), 20_000);
}

/// A function for each way to block, in which tokio's words differ.
macro_rules! ways {
    ($($name:ident: $body:expr;)*) => {
        $(
            #[loom::compute(hint = "low")]
            fn $name() {
                $body
            }
        )*

        const WAYS: &[(&str, fn() -> BoxFuture<'static, ()>)] =
            &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

fn own_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("it starts")
}

ways! {
    locks: drop(Mutex::new(0).blocking_lock());
    sends: {
        let (sender, _receiver) = mpsc::channel(1);
        sender.blocking_send(0).expect("there is room");
    };
    receives: {
        let (sender, mut receiver) = mpsc::channel(1);
        drop(sender);
        assert_eq!(receiver.blocking_recv(), None::<u8>);
    };
    drives_the_current_runtime: tokio::runtime::Handle::current().block_on(async {});
    drives_a_runtime_of_its_own: own_runtime().block_on(async {});
    drops_a_runtime: drop(own_runtime());
}

#[test]
fn whatever_way_a_body_blocks_the_first_refusal_is_the_last() {
    for (name, call) in WAYS {
        // A runtime that takes the way to the pool for long runs the first call of a short function
        // inline, whatever else goes on.
        let knobs = MabKnobs { measured_offload_overhead_us: Some(10_000.0), ..MabKnobs::new() };
        let runtime = builder().mab_knobs(knobs).build().expect("the system has threads");
        let name = format!("blocking::{name}");
        runtime.block_on(async {
            let text = told(&runtime, call()).await.expect("tokio refuses it inline");
            assert!(is_explained(&text, &name), "{text}");
            for _ in 0..300 {
                assert_eq!(told(&runtime, call()).await, None, "{name}");
            }
        });
        let stats = stats(&runtime, &name);
        assert_eq!((stats.inline, stats.panicked), (1, 1), "{stats:?}");
    }
}

#[loom::compute(mode = "inline")]
fn is_kept_inline() {
    drop(Mutex::new(0).blocking_lock());
}

#[test]
fn a_mode_that_keeps_a_function_inline_is_named() {
    let runtime = runtime();
    runtime.block_on(async {
        for _ in 0..3 {
            let text = told(&runtime, is_kept_inline()).await.expect("tokio refuses it");
            assert!(is_explained(&text, "blocking::is_kept_inline"), "{text}");
            assert!(text.contains("its `mode`") && !text.contains("from now on"), "{text}");
        }
    });
}

#[loom::compute(hint = "low")]
fn blocks_in_place() -> u32 {
    loom::block_in_place(|| *Mutex::new(7).blocking_lock())
}

#[loom::test(arm = "both")]
async fn what_blocks_in_place_works_on_either_arm() {
    for _ in 0..100 {
        assert_eq!(tokio::spawn(blocks_in_place()).await.expect("it does not panic"), 7);
        // In the future that the test itself drives.
        assert_eq!(blocks_in_place().await, 7);
    }
}

#[loom::compute(hint = "low")]
fn blocks_rarely(blocks: bool) -> u32 {
    if blocks { *Mutex::new(7).blocking_lock() } else { 7 }
}

#[test]
fn a_settled_function_that_begins_to_block_is_refused_once_at_most() {
    let runtime = runtime();
    runtime.block_on(async {
        for _ in 0..2_000 {
            assert_eq!(told(&runtime, blocks_rarely(false)).await, None);
        }
        let mut failed = Vec::new();
        for _ in 0..2_000 {
            failed.extend(told(&runtime, blocks_rarely(true)).await);
        }
        assert!(failed.len() <= 1, "{failed:?}");
        let are_explained = failed.iter().all(|text| is_explained(text, "blocking::blocks_rarely"));
        assert!(are_explained, "{failed:?}");
    });
}

/// Words like tokio's are not taken for a refusal where the thread drives nothing of tokio's.
#[loom::compute(hint = "low")]
fn quotes() {
    panic!("Cannot start a runtime from within a runtime");
}

#[test]
fn a_panic_elsewhere_is_left_as_it_is() {
    let poll = || Box::pin(quotes()).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let payload = std::panic::catch_unwind(poll).expect_err("it runs inline, and panics");
    assert_eq!(payload.downcast_ref(), Some(&"Cannot start a runtime from within a runtime"));
}
