//! Streams that map their items by compute calls: several at a time, in order or not.

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::core::{Admitted, Core};
use crate::panics::KeptWaker;
use crate::scheduler::{Arm, ComputeHint, ComputeHintProvider};
use crate::sync::{Arc, thread};

use super::accounting::CallOptions;
use super::adaptive::{AdaptiveFuture, place};
use super::compute::{ComputeFuture, offload};
use super::current::current_core;
use super::decide::CallInfo;

/// How many items are in flight for each compute thread by default: one that runs, and one that is
/// next.
const EACH: usize = 2;

/// Maps the items of a stream by compute functions.
///
/// Items are taken from the stream only while there is room for them, so a slow reader slows the
/// stream down. Results that the reader has not taken yet count as in flight. A panic of one item
/// is raised again where its result would have come, and it ends this stream alone. Dropping the
/// stream cancels the items in flight: those that have not started never do.
///
/// ```
/// use loom::ComputeStreamExt;
/// use tokio_stream::StreamExt;
///
/// # #[loom::main]
/// # async fn main() {
/// let words = tokio_stream::iter(["one", "two", "three"]);
/// let shouted: Vec<String> = words.compute_map(|word| word.to_uppercase()).collect().await;
/// assert_eq!(shouted, ["ONE", "TWO", "THREE"]);
/// # }
/// ```
pub trait ComputeStreamExt: Stream {
    /// Maps each item on the compute pool, in order; see [`spawn_compute`](crate::spawn_compute).
    ///
    /// # Panics
    ///
    /// The stream panics with an item's own panic, and as `spawn_compute` does on a runtime
    /// that has been shut down.
    fn compute_map<F, U>(self, f: F) -> ComputeMap<Self, F, U>
    where
        Self: Sized,
        F: Fn(Self::Item) -> U + Send + Sync + 'static,
        Self::Item: Send + 'static,
        U: Send + 'static,
    {
        ComputeMap { stream: self, f: Arc::new(f), flight: Flight::new() }
    }

    /// Maps each item inline or on the compute pool, whichever was measured as cheaper for this
    /// function, in order; see [`spawn_adaptive`](crate::spawn_adaptive). The item's own
    /// [`ComputeHintProvider`] gives the hint.
    ///
    /// # Panics
    ///
    /// As [`compute_map`](Self::compute_map).
    fn adaptive_map<F, U>(self, f: F) -> AdaptiveMap<Self, F, U>
    where
        Self: Sized,
        F: Fn(Self::Item) -> U + Send + Sync + 'static,
        Self::Item: ComputeHintProvider + Send + 'static,
        U: Send + 'static,
    {
        AdaptiveMap { stream: self, f: Arc::new(f), flight: Flight::new() }
    }

    /// Maps each item as [`adaptive_map`](Self::adaptive_map) does, with one hint for all of them, so
    /// items of any type.
    ///
    /// ```
    /// use loom::{ComputeHint, ComputeStreamExt};
    /// use tokio_stream::StreamExt;
    ///
    /// # #[loom::main]
    /// # async fn main() {
    /// let times = tokio_stream::iter([std::time::Duration::from_secs(2)]);
    /// let seconds = times.adaptive_map_with_hint(ComputeHint::Low, |time| time.as_secs());
    /// assert_eq!(seconds.collect::<Vec<_>>().await, [2]);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`compute_map`](Self::compute_map).
    fn adaptive_map_with_hint<F, U>(
        self,
        hint: ComputeHint,
        f: F,
    ) -> AdaptiveMapWithHint<Self, F, U>
    where
        Self: Sized,
        F: Fn(Self::Item) -> U + Send + Sync + 'static,
        Self::Item: Send + 'static,
        U: Send + 'static,
    {
        let flight = Flight { hint, ..Flight::new() };
        AdaptiveMapWithHint { stream: self, f: Arc::new(f), flight }
    }
}

impl<S: Stream> ComputeStreamExt for S {}

/// The items in flight, and the order of their results.
struct Flight<U> {
    items: VecDeque<AdaptiveFuture<U>>,
    /// How many items, from the front, have stored `waker`. Only an unordered stream uses this: an
    /// ordered one polls the front item alone.
    polled: usize,
    waker: Option<KeptWaker>,
    limit: Option<usize>,
    /// The hint of all items, where they do not state their own.
    hint: ComputeHint,
    is_ordered: bool,
    /// The core that was set, or the current one at the first poll.
    core: Option<Arc<Core>>,
    /// The stream has ended, or an item has panicked.
    is_over: bool,
}

impl<U> Flight<U> {
    fn new() -> Self {
        Self {
            items: VecDeque::new(),
            polled: 0,
            waker: None,
            limit: None,
            hint: ComputeHint::Unknown,
            is_ordered: true,
            core: None,
            is_over: false,
        }
    }

    /// Takes items in while there is room, and polls for the next result.
    fn poll<S: Stream>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        start: impl Fn(&Arc<Core>, ComputeHint, S::Item) -> AdaptiveFuture<U>,
    ) -> Poll<Option<U>> {
        let core = Arc::clone(self.core.get_or_insert_with(current_core));
        let limit = self.limit.unwrap_or_else(|| EACH * core.compute_threads.max(1));
        while !self.is_over && self.items.len() < limit {
            match stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    // Where `start` panics, the stream has ended.
                    self.is_over = true;
                    let mut item = start(&core, self.hint, item);
                    self.is_over = false;
                    // So a drop of the stream cancels the item, polled or not.
                    item.mark_awaited();
                    let has_run = item.arm() == Arm::InlineTokio;
                    self.items.push_back(item);
                    // A result of an inline call is returned before more items run inline.
                    if has_run {
                        break;
                    }
                }
                Poll::Ready(None) => self.is_over = true,
                Poll::Pending => break,
            }
        }
        let outcome = if self.is_ordered {
            self.items.front_mut().map(|item| item.poll_outcome(cx).map(|outcome| (0, outcome)))
        } else {
            self.poll_any(cx)
        };
        match outcome {
            Some(Poll::Ready((at, outcome))) => {
                self.items.remove(at);
                if at < self.polled {
                    self.polled -= 1;
                }
                match outcome {
                    Ok(value) => Poll::Ready(Some(value)),
                    Err(payload) => {
                        self.items.clear();
                        self.is_over = true;
                        resume_unwind(payload)
                    }
                }
            }
            None if self.is_over => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    /// Polls for the first item that is done. Each item is polled once with a waker, and is then
    /// only checked for completion.
    fn poll_any(&mut self, cx: &mut Context<'_>) -> Option<Poll<(usize, thread::Result<U>)>> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(KeptWaker::of(cx.waker()));
            self.polled = 0;
        }
        let mut pending = None;
        for (at, item) in self.items.iter_mut().enumerate() {
            if at >= self.polled || item.is_done() {
                if let Poll::Ready(outcome) = item.poll_outcome(cx) {
                    return Some(Poll::Ready((at, outcome)));
                }
                // `polled` counts the items from the front whose completion will wake the task.
                if at == self.polled && item.has_waker() {
                    self.polled += 1;
                }
            }
            pending = Some(Poll::Pending);
        }
        pending
    }

    fn size_hint(&self, stream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        let here = self.items.len();
        if self.is_over {
            return (here, Some(here));
        }
        let (least, most) = stream;
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }
}

macro_rules! map {
    (
        $(#[$doc:meta])* $name:ident, $item:ident: [$($bound:tt)*],
        |$core:ident, $hint:pat, $f:ident| $start:expr
    ) => {
        pin_project! {
            $(#[$doc])*
            #[must_use = "streams do nothing unless polled"]
            pub struct $name<S, F, U> {
                #[pin]
                stream: S,
                f: Arc<F>,
                flight: Flight<U>,
            }
        }

        impl<S, F, U> $name<S, F, U> {
            /// Keeps up to so many items in flight, at least 1. The default is twice the number
            /// of compute threads.
            pub fn in_flight(mut self, items: usize) -> Self {
                self.flight.limit = Some(items.max(1));
                self
            }

            /// Returns results as they are ready, not in the order of their items.
            pub fn unordered(mut self) -> Self {
                self.flight.is_ordered = false;
                self
            }

            /// Computes on this core's pool, whichever runtime polls the stream.
            pub(crate) fn on_core(mut self, core: &Arc<Core>) -> Self {
                self.flight.core = Some(Arc::clone(core));
                self
            }
        }

        impl<S, F, U> Stream for $name<S, F, U>
        where
            S: Stream,
            F: Fn(S::Item) -> U + Send + Sync + 'static,
            S::Item: $($bound)* Send + 'static,
            U: Send + 'static,
        {
            type Item = U;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
                let this = self.project();
                let $f = this.f;
                this.flight.poll(this.stream, cx, |$core, $hint, $item| $start)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.flight.size_hint(self.stream.size_hint())
            }
        }

        impl<S, F, U> FusedStream for $name<S, F, U>
        where
            Self: Stream,
        {
            fn is_terminated(&self) -> bool {
                self.flight.is_over && self.flight.items.is_empty()
            }
        }

        impl<S: fmt::Debug, F, U> fmt::Debug for $name<S, F, U> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("stream", &self.stream)
                    .field("in_flight", &self.flight.items.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

map! {
    /// A stream whose items are computed on the compute pool from another stream's items; made by
    /// [`compute_map`](ComputeStreamExt::compute_map).
    ComputeMap, item: [], |core, _, f| {
        let f = Arc::clone(f);
        let admitted = Admitted::or_panic(core);
        let call = offload(core, admitted, CallOptions::default(), move || f(item));
        ComputeFuture::or_panic(call).into()
    }
}

map! {
    /// A stream whose items are computed from another stream's items, each on the arm that is
    /// cheaper; made by [`adaptive_map`](ComputeStreamExt::adaptive_map).
    AdaptiveMap, item: [ComputeHintProvider +], |core, _, f| {
        let info = CallInfo::closure::<F>(item.compute_hint());
        let f = Arc::clone(f);
        place(core, info, move || f(item))
    }
}

map! {
    /// [`AdaptiveMap`] with one hint for all items; made by
    /// [`adaptive_map_with_hint`](ComputeStreamExt::adaptive_map_with_hint).
    AdaptiveMapWithHint, item: [], |core, hint, f| {
        let info = CallInfo::closure::<F>(hint);
        let f = Arc::clone(f);
        place(core, info, move || f(item))
    }
}
