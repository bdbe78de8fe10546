//! A span for each future that awaits, and one for each of its polls.

use super::{recorder, runtime};

#[loom::compute(mode = "offload")]
async fn polled_on_the_pool() {
    tracing::info!("first poll on the pool");
    loom::yield_now().await;
    tracing::info!("second poll on the pool");
}

#[loom::compute(mode = "inline")]
async fn polled_here() {
    tracing::info!("first poll here");
    loom::yield_now().await;
    tracing::info!("second poll here");
}

#[test]
fn a_future_has_a_span_and_each_poll_has_one_below_it() {
    let recorder = recorder();
    let runtime = runtime();
    runtime.block_on(async {
        let awaits = async {
            polled_on_the_pool().await;
            polled_here().await;
        };
        tracing::Instrument::instrument(awaits, tracing::info_span!("awaits")).await;
    });
    let seen = recorder.seen();
    for said in
        ["first poll on the pool", "second poll on the pool", "first poll here", "second poll here"]
    {
        let (_, spans, _) =
            seen.events.iter().find(|(words, ..)| words == said).expect("it was said");
        assert_eq!(*spans, ["poll", "compute future", "awaits"], "{said}");
    }
    let of = |name| seen.spans.iter().filter(move |span| span.name == name);
    let names: Vec<_> = of("compute future").filter_map(|it| it.fields.0.get("function")).collect();
    assert!(names.iter().any(|name| name.ends_with("polled_on_the_pool")), "{names:?}");
    let arms: Vec<_> = of("poll").filter_map(|poll| poll.fields.0.get("arm")).collect();
    assert!(["inline", "offload"].iter().all(|arm| arms.iter().any(|it| it == arm)), "{arms:?}");
}
