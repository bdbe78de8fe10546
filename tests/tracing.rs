//! Baggage that follows work to other threads: spans, a span for each call, and task-locals.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, OnceLock};

use loom::{ComputeStreamExt, LoomBuilder, LoomRuntime};
use tokio_stream::StreamExt;
use tracing::field::{Field, Visit};
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

fn runtime() -> LoomRuntime {
    LoomBuilder::new().tokio_threads(2).rayon_threads(2).build().expect("it starts")
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

/// Two compute threads, of which one is busy with the pool's own work until the sender is
/// dropped.
fn with_one_thread_left() -> (LoomRuntime, mpsc::Sender<()>) {
    let runtime = runtime();
    let (holding, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    runtime.rayon_pool().spawn(move || {
        holding.send(()).expect("it is waited for");
        released.recv().expect_err("it is only ever let go");
    });
    held.recv().expect("it starts");
    (runtime, release)
}

#[test]
fn a_call_is_in_no_span_of_the_one_below_it() {
    let recorder = recorder();
    let (runtime, _release) = with_one_thread_left();
    let (sender, receiver) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    let below = tracing::info_span!("below").in_scope(|| {
        runtime.spawn_compute(move || {
            let _entered = tracing::info_span!("deeper").entered();
            // Work of a scope that runs on the scope's own thread enters the span twice, too.
            let _twice = tracing::Span::current().entered();
            started.send(()).expect("the test waits");
            while receiver.try_recv().is_err() {
                rayon::yield_now();
            }
            tracing::info!("below again");
        })
    });
    has_started.recv().expect("it runs");
    runtime
        .spawn_compute(move || {
            tracing::info!("above");
            sender.send(())
        })
        .detach();
    runtime.block_on(below);
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
        assert!(thread.starts_with("loom-rayon-"), "{word}: {thread}");
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

/// Runs `work` as a call on top of the running one, as a thread does while it waits for parallel
/// work.
fn above<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::current().id();
    loom::spawn_compute(move || {
        assert_eq!(std::thread::current().id(), thread);
        sender.send(work())
    })
    .detach();
    loop {
        match receiver.try_recv() {
            Ok(result) => return result,
            Err(TryRecvError::Empty) => drop(rayon::yield_now()),
            Err(TryRecvError::Disconnected) => panic!("the call above has failed"),
        }
    }
}

#[loom::compute(mode = "offload", carry(USER))]
fn with_others_above() -> [Option<String>; 4] {
    let own = || USER.try_with(Clone::clone).ok();
    let before = own();
    // A call of another task, which has no user, and then a call with another user.
    let other = above(own);
    let handle = tokio::runtime::Handle::current();
    let bob = handle.block_on(USER.scope("bob".to_owned(), who_inline()));
    [before, other, own(), Some(bob)]
}

/// While the value is borrowed, a call on top can neither replace nor remove it on that thread.
#[loom::compute(mode = "offload", carry(USER))]
fn borrowing_across_a_wait() -> [Option<String>; 3] {
    USER.with(|own| {
        let own = own.clone();
        let seen = || USER.try_with(Clone::clone).ok();
        let (sender, receiver) = mpsc::channel();
        let of_bob = sender.clone();
        loom::spawn_compute(move || sender.send((0, seen()))).detach();
        let handle = tokio::runtime::Handle::current();
        let bob = USER.scope("bob".to_owned(), async move {
            let who = who().await.0;
            of_bob.send((1, Some(who)))
        });
        handle.spawn(bob);
        let mut heard = [None, None, Some(own)];
        for _ in 0..2 {
            let (who, user) = loop {
                match receiver.try_recv() {
                    Ok(answer) => break answer,
                    Err(TryRecvError::Empty) => drop(rayon::yield_now()),
                    Err(TryRecvError::Disconnected) => panic!("a call above has failed"),
                }
            };
            heard[who] = user;
        }
        heard
    })
}

#[test]
fn a_call_does_not_see_what_the_one_below_it_has() {
    let (runtime, _release) = with_one_thread_left();
    runtime.block_on(async {
        let seen = USER.scope("ann".to_owned(), with_others_above()).await;
        let [before, other, after, bob] = seen.each_ref().map(Option::as_deref);
        assert_eq!([before, other, after, bob], [Some("ann"), None, Some("ann"), Some("bob")]);
        let seen = USER.scope("ann".to_owned(), borrowing_across_a_wait()).await;
        assert_eq!(seen.each_ref().map(Option::as_deref), [None, Some("bob"), Some("ann")]);
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
