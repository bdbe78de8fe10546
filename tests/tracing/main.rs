//! Baggage that follows work to other threads: spans, a span for each call, and task-locals.

mod futures;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, OnceLock};

use loom::{ComputePriority, ComputeStreamExt, LoomBuilder, LoomRuntime};
use tokio_stream::StreamExt;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// The fields of a span or an event, as text.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.0.entry(field.name()).or_default();
        write!(text, "{value:?}").expect("a string takes it");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// A span that has been closed.
#[derive(Clone, Debug)]
struct Closed {
    name: &'static str,
    parent: Option<&'static str>,
    fields: Fields,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    spans: Vec<Closed>,
    /// The message of each event, the spans around it, and its thread.
    events: Vec<(String, Vec<&'static str>, String)>,
}

/// What a test has traced.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Seen>>);

impl Recorder {
    fn seen(&self) -> Seen {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).expect("it is new").extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it is there");
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Fields>().expect("it was put there"));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flatten().map(|span| span.name());
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let event = (fields.0.remove("message").unwrap_or_default(), spans.collect(), thread);
        self.0.lock().expect("nobody panics with it").events.push(event);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("it is just closed");
        let fields = span.extensions().get::<Fields>().expect("it was put there").clone();
        let parent = span.parent().map(|parent| parent.name());
        let closed = Closed { name: span.name(), parent, fields };
        self.0.lock().expect("nobody panics with it").spans.push(closed);
    }
}

#[loom::compute(mode = "offload")]
fn offloaded() {
    tracing::info!("offloaded");
}

#[loom::compute(mode = "inline")]
fn inline() {
    tracing::info!("inline");
}

#[loom::compute(scope, mode = "offload")]
fn borrowing(word: &str) {
    tracing::info!("{word}");
}

tokio::task_local! {
    static USER: String;
    static TRIES: u32;
}

#[loom::compute(mode = "offload", carry(USER, TRIES))]
fn who() -> (String, Option<u32>) {
    (USER.get(), TRIES.try_with(|tries| *tries).ok())
}

#[loom::compute(mode = "offload")]
fn nobody() -> bool {
    USER.try_with(|_| ()).is_err()
}

#[loom::compute(mode = "inline", carry(USER))]
fn who_inline() -> String {
    USER.get()
}

#[loom::compute(scope, mode = "offload", carry(USER))]
fn greet(greeting: &str) -> String {
    USER.with(|user| format!("{greeting} {user}"))
}

/// Whether a thread is of either compute pool: where neighbours take the CPUs, the one of normal
/// priority runs the work.
fn is_of_pool(thread: &str) -> bool {
    ["loom-rayon-", "loom-norm-"].iter().any(|pool| thread.starts_with(pool))
}

fn runtime() -> LoomRuntime {
    LoomBuilder::new()
        .tokio_threads(2)
        .rayon_threads(2)
        .compute_priority(ComputePriority::Normal)
        .build()
        .expect("it starts")
}

/// One recorder for the process, since the threads that enter spans are shared.
fn recorder() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let recorder = Recorder::default();
        let subscriber = Registry::default().with(recorder.clone());
        tracing::subscriber::set_global_default(subscriber).expect("it is the only one");
        recorder
    })
}

/// Runs `work` as a piece of a scope of another task's call, on a thread that waits for parallel work
/// of the call that calls this: the thread of the other call blocks.
fn above<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let other = move || {
        let (ended, has_ended) = mpsc::channel();
        loom::block_on(loom::scope_compute(move |scope| {
            scope.spawn(move |_| {
                sender.send(work()).expect("it is waited for");
                ended.send(()).expect("it is waited for");
            });
            has_ended.recv().expect("the piece ends");
        }));
    };
    loom::spawn(async { loom::spawn_compute(other).await });
    loop {
        match receiver.try_recv() {
            Ok(result) => return result,
            Err(TryRecvError::Empty) => drop(rayon::yield_now()),
            Err(TryRecvError::Disconnected) => panic!("the other call has failed"),
        }
    }
}

#[test]
fn a_piece_is_in_no_span_of_the_call_below_it() {
    let recorder = recorder();
    let runtime = runtime();
    let below = tracing::info_span!("below").in_scope(|| {
        runtime.spawn_compute(move || {
            let _entered = tracing::info_span!("deeper").entered();
            // Work of a scope that runs on the scope's own thread enters the span twice, too.
            let _twice = tracing::Span::current().entered();
            let own = std::thread::current().id();
            let its = above(|| {
                tracing::info!("above");
                std::thread::current().id()
            });
            tracing::info!("below again");
            own == its
        })
    });
    assert!(runtime.block_on(below), "it ran on the same thread");
    let seen = recorder.seen();
    let spans = |said: &str| {
        let event = seen.events.iter().find(|(words, ..)| words == said);
        event.expect("it was said").1.clone()
    };
    assert_eq!(spans("above"), ["compute"]);
    assert_eq!(spans("below again"), ["deeper", "compute", "below"]);
}

#[test]
fn spans_follow_work_wherever_it_goes() {
    let recorder = recorder();
    let runtime = runtime();
    runtime.block_on(async {
        let request = tracing::info_span!("request");
        let work = async {
            offloaded().await;
            // Settled calls have spans as well.
            for _ in 0..100 {
                inline().await;
            }
            borrowing("borrowed").await;
            loom::spawn_compute(|| tracing::info!("spawned")).await;
            loom::scope_compute(|scope| {
                scope.spawn(|scope| {
                    tracing::info!("in scope");
                    scope.spawn(|_| tracing::info!("deeper"));
                });
            })
            .await;
            let items = tokio_stream::iter([1, 2]).compute_map(|n| tracing::info!("item {n}"));
            items.collect::<Vec<()>>().await;
        };
        tracing::Instrument::instrument(work, request).await;
        // Outside of any span there is only the call's own span.
        offloaded().await;
    });
    runtime.block_until_idle();

    let seen = recorder.seen();
    for word in ["offloaded", "borrowed", "spawned", "in scope", "deeper", "item 1", "item 2"] {
        let (_, spans, thread) =
            seen.events.iter().find(|(words, ..)| words == word).expect("it was said");
        assert!(spans.ends_with(&["compute", "request"]), "{word}: {spans:?}");
        assert!(is_of_pool(thread), "{word}: {thread}");
    }
    let inline = seen.events.iter().filter(|(words, ..)| words == "inline");
    assert!(inline.clone().all(|(_, spans, _)| *spans == ["compute", "request"]));
    assert_eq!(inline.count(), 100);
    let (_, spans, _) =
        seen.events.iter().rfind(|(words, ..)| words == "offloaded").expect("it was said");
    assert_eq!(*spans, ["compute"]);

    let calls: Vec<_> = seen.spans.iter().filter(|span| span.name == "compute").collect();
    let of = |function: &str| {
        let is_it = |call: &&&Closed| call.fields.0["function"] == function;
        calls.iter().filter(is_it).copied().collect::<Vec<_>>()
    };
    let number = |call: &Closed, field: &str| -> Option<f64> {
        call.fields.0.get(field).map(|text| text.parse().expect("a number"))
    };
    let [first, second] = of("tracing::offloaded")[..] else { panic!("two calls: {calls:#?}") };
    assert_eq!((first.parent, second.parent), (Some("request"), None));
    assert_eq!(first.fields.0["arm"], "offload");
    assert!(number(first, "queue_wait_us").is_some_and(|waited| waited > 0.0));
    assert!(number(first, "run_time_us").is_some_and(|took| took > 0.0));
    let inline = of("tracing::inline");
    assert_eq!(inline.len(), 100);
    assert!(inline.iter().all(|call| call.fields.0["arm"] == "inline"));
    assert!(inline.iter().all(|call| number(call, "queue_wait_us").is_none()));
    assert!(inline.iter().all(|call| number(call, "run_time_us").is_some()));
}

#[loom::compute(mode = "offload")]
fn said_there(words: &'static str) {
    tracing::info!("{words}");
}

#[loom::compute(mode = "inline")]
fn said_here(words: &'static str) {
    tracing::info!("{words}");
}

#[test]
fn a_subscriber_of_a_scope_goes_with_the_work_and_does_not_stay() {
    const WORDS: [&str; 6] = ["there", "here", "spawned", "piece", "item 1", "item 2"];
    let (all, own, runtime) = (recorder(), Recorder::default(), runtime());
    let dispatch = tracing::Dispatch::new(Registry::default().with(own.clone()));
    let work = || async {
        said_there("there").await;
        said_here("here").await;
        loom::spawn_compute(|| tracing::info!("spawned")).await;
        loom::scope_compute(|scope| scope.spawn(|_| tracing::info!("piece"))).await;
        let items = tokio_stream::iter([1, 2]).compute_map(|n| tracing::info!("item {n}"));
        items.collect::<Vec<()>>().await;
    };
    // Of the thread that drives the future, and of a task.
    tracing::dispatcher::with_default(&dispatch, || runtime.block_on(work()));
    let task = runtime.spawn_async(work().with_subscriber(dispatch));
    runtime.block_on(task).expect("it does not panic");
    let times = |recorder: &Recorder, words: &str| {
        recorder.seen().events.iter().filter(|(said, ..)| said == words).count()
    };
    for words in WORDS {
        assert_eq!(times(&own, words), 2, "{words}: {:?}", own.seen().events);
    }
    for _ in 0..4 {
        runtime.block_on(said_there("afterwards"));
    }
    assert_eq!((times(&own, "afterwards"), times(all, "afterwards")), (0, 4));
    let nobody = tracing::Dispatch::none();
    tracing::dispatcher::with_default(&nobody, || runtime.block_on(said_there("to nobody")));
    assert_eq!(times(all, "to nobody"), 0);
}

#[loom::compute(mode = "offload", carry(USER))]
fn with_others_above() -> [Option<String>; 4] {
    let own = || USER.try_with(Clone::clone).ok();
    let before = own();
    // A piece of another task's call, which has no user, and then a call with another user.
    let other = above(own);
    let handle = tokio::runtime::Handle::current();
    let bob = handle.block_on(USER.scope("bob".to_owned(), who_inline()));
    [before, other, own(), Some(bob)]
}

/// While the value is borrowed, it can be neither replaced nor removed on that thread.
#[loom::compute(mode = "offload", carry(USER))]
fn borrowing_across_a_wait() -> [Option<String>; 2] {
    USER.with(|own| [above(|| USER.try_with(Clone::clone).ok()), Some(own.clone())])
}

#[test]
fn a_piece_does_not_see_what_the_call_below_it_has() {
    runtime().block_on(async {
        let seen = USER.scope("ann".to_owned(), with_others_above()).await;
        let [before, other, after, bob] = seen.each_ref().map(Option::as_deref);
        assert_eq!([before, other, after, bob], [Some("ann"), None, Some("ann"), Some("bob")]);
        let seen = USER.scope("ann".to_owned(), borrowing_across_a_wait()).await;
        assert_eq!(seen.each_ref().map(Option::as_deref), [None, Some("ann")]);
        // Nothing is left behind on the thread.
        assert!(nobody().await);
    });
}

#[test]
fn task_locals_go_along_where_they_are_named() {
    runtime().block_on(async {
        let with = |user: &str, work| USER.scope(user.to_owned(), work);
        assert_eq!(with("ann", who()).await, ("ann".to_owned(), None));
        assert_eq!(TRIES.scope(3, with("bob", who())).await, ("bob".to_owned(), Some(3)));
        assert!(USER.scope("ann".to_owned(), nobody()).await, "it is not named there");
        let ann = "ann".to_owned();
        let inline = USER.scope(ann.clone(), async {
            for _ in 0..100 {
                assert_eq!(who_inline().await, "ann");
            }
        });
        inline.await;
        assert_eq!(USER.scope(ann, greet("hello")).await, "hello ann");
    });
}

#[test]
fn a_task_local_that_is_not_set_is_not_set_there() {
    let runtime = runtime();
    let failed = runtime.block_on(runtime.spawn_async(who()));
    assert!(failed.expect_err("it panics, as it would inline").is_panic());
    assert!(runtime.block_on(nobody()), "and leaves nothing behind");
}
