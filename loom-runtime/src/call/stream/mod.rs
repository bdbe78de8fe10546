//! Streams that compute: that map their items by compute calls, several at a time, in order or not, or
//! that are polled on the compute pool themselves.

mod flight;
mod on_compute;

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::core::{Admitted, Core};
use crate::scheduler::{ComputeHint, Magnitude, Site};
use crate::sync::Arc;

use super::accounting::CallOptions;
use super::adaptive::place;
use super::compute::{ComputeFuture, offload};
use super::decide::CallInfo;
use flight::Flight;
pub use on_compute::OnCompute;

/// Maps the items of a stream by compute functions, or polls the stream itself on the compute pool.
///
/// What follows holds for the maps; [`on_compute`](Self::on_compute) says how it differs. Items are taken from the stream only while there is room for them, so a slow reader slows the
/// stream down. Results that the reader has not taken yet count as in flight. Items run on the runtime that
/// is current at the first poll, or on that of [`on`](ComputeMap::on).
///
/// A panic of one item is raised again where its result would have come. It ends this stream: the stream
/// drops the other items in flight, with results that are ready, and then yields `None`. Dropping the
/// stream cancels the items in flight: those that have not started never do, and the results of those that
/// run are dropped.
///
/// Cost: that of [`spawn_compute`](crate::spawn_compute) for each item, or of a decision where the stream
/// is adaptive (`loom-bench micro`, `loom-bench decide`).
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
    /// function, in order; see [`spawn_adaptive`](crate::spawn_adaptive). What items tell of themselves
    /// ([`ComputeHintProvider`](crate::mab::ComputeHintProvider)) counts where
    /// [`hint_by`](AdaptiveMap::hint_by) asks them.
    ///
    /// Reports name the function that makes the closure, and the place of this call;
    /// [`name`](AdaptiveMap::name) gives it a name. [`hint`](AdaptiveMap::hint) and
    /// [`size`](AdaptiveMap::size) tell what a call costs.
    ///
    /// ```
    /// use loom::{ComputeHint, ComputeStreamExt};
    /// use tokio_stream::StreamExt;
    ///
    /// # #[loom::main]
    /// # async fn main() {
    /// let pages = tokio_stream::iter(["one", "one two", ""]);
    /// let words = pages
    ///     .adaptive_map(|page| page.split_whitespace().count())
    ///     .hint(ComputeHint::Low)
    ///     .size(|page| page.len())
    ///     .name("count words");
    /// assert_eq!(words.collect::<Vec<_>>().await, [1, 2, 0]);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`compute_map`](Self::compute_map).
    #[track_caller]
    fn adaptive_map<F, U>(self, f: F) -> AdaptiveMap<Self, F, U>
    where
        Self: Sized,
        F: Fn(Self::Item) -> U + Send + Sync + 'static,
        Self::Item: Send + 'static,
        U: Send + 'static,
    {
        let told = Told {
            place: Location::caller(),
            name: None,
            hint: Hint::Of(ComputeHint::Unknown),
            size: None,
        };
        AdaptiveMap { stream: self, f: Arc::new(f), flight: Flight::new(), told, site: None }
    }

    /// Polls the stream on the compute pool, up to 2 items ahead of the reader, or as many as
    /// [`ahead`](OnCompute::ahead) says. For a stream that computes and waits for I/O by itself, such as
    /// that of a query engine.
    ///
    /// The stream starts with the first poll of what this returns, on the runtime that is current then, or
    /// on that of [`on`](OnCompute::on). That runtime's sockets, timers and tasks work in it, as in
    /// [`spawn_compute_future`](crate::spawn_compute_future). Items come in order. While the reader has not
    /// taken those that are ahead, the stream is not polled. After an item it [yields](crate::yield_now)
    /// where calls wait for the pool.
    ///
    /// A drop gives the stream up: it is dropped at once where it waits, and after its poll where one is
    /// under way. A panic of the stream is raised again after the items that came before it, and ends it.
    ///
    /// A stream that has started is tracked: a graceful shutdown waits until it has ended or was dropped, and
    /// so for ever where nobody reads it.
    ///
    /// Cost: one block for the stream, as for a future, and a channel of tokio's, both allocated at the
    /// first poll. An item costs at most about one poll on the pool (`loom-bench futures`), a message, and a
    /// wake of the reader where it waits.
    ///
    /// ```
    /// use loom::ComputeStreamExt;
    /// use tokio_stream::StreamExt;
    ///
    /// # #[loom::main]
    /// # async fn main() {
    /// let batches = tokio_stream::iter([vec![1, 2], vec![3]]);
    /// let sums = batches.map(|batch| batch.iter().sum::<u64>()).on_compute();
    /// assert_eq!(sums.collect::<Vec<_>>().await, [3, 3]);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// What this returns panics with the stream's own panic, and as `spawn_compute` does on a runtime that
    /// has been shut down, or without compute threads.
    #[track_caller]
    fn on_compute(self) -> OnCompute<Self>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send + 'static,
    {
        OnCompute::new(self, Location::caller())
    }
}

impl<S: Stream> ComputeStreamExt for S {}

/// What the program tells of the calls of a stream.
struct Told<I> {
    /// Where the stream was made.
    place: &'static Location<'static>,
    name: Option<&'static str>,
    hint: Hint<I>,
    size: Option<Rule<I, u64>>,
}

/// What the program computes of an item before its call.
type Rule<I, T> = Box<dyn Fn(&I) -> T + Send + Sync>;

enum Hint<I> {
    /// One for all items.
    Of(ComputeHint),
    By(Rule<I, ComputeHint>),
}

impl<I> Told<I> {
    /// The call of `f` for an item.
    fn call(&self, site: &'static Site, item: &I) -> CallInfo {
        let hint = match &self.hint {
            Hint::Of(hint) => *hint,
            Hint::By(hint) => hint(item),
        };
        let by_hint = || site.class_of_hint(hint);
        let class = self.size.as_ref().map_or_else(by_hint, |size| site.class(size(item)));
        CallInfo::of(site, class, hint)
    }
}

pin_project! {
    /// A stream whose items are computed on the compute pool from another stream's items; made by
    /// [`compute_map`](ComputeStreamExt::compute_map).
    #[must_use = "streams do nothing unless polled"]
    pub struct ComputeMap<S, F, U>
    where
        S: Stream,
    {
        #[pin]
        stream: S,
        f: Arc<F>,
        flight: Flight<U>,
    }
}

pin_project! {
    /// A stream whose items are computed from another stream's items, each on the arm that is
    /// cheaper; made by [`adaptive_map`](ComputeStreamExt::adaptive_map).
    #[must_use = "streams do nothing unless polled"]
    pub struct AdaptiveMap<S, F, U>
    where
        S: Stream,
    {
        #[pin]
        stream: S,
        f: Arc<F>,
        flight: Flight<U>,
        told: Told<S::Item>,
        // The site of `f`, from the first item on.
        site: Option<&'static Site>,
    }
}

impl<S: Stream, F, U> AdaptiveMap<S, F, U> {
    /// States what the computation of any item is expected to cost, until it has been measured.
    pub fn hint(mut self, hint: ComputeHint) -> Self {
        self.told.hint = Hint::Of(hint);
        self
    }

    /// States what the computation of each item is expected to cost. Without
    /// [`size`](Self::size), items of different hints are learned apart. `hint` runs once for each
    /// item, on the task that polls the stream. If it panics, that poll panics, and the stream takes
    /// no further item.
    ///
    /// ```
    /// use loom::ComputeStreamExt;
    /// use loom::mab::{ComputeHint, ComputeHintProvider};
    /// use tokio_stream::StreamExt;
    ///
    /// struct Picture(Vec<u8>);
    /// impl ComputeHintProvider for Picture {
    ///     fn compute_hint(&self) -> ComputeHint {
    ///         if self.0.len() < 4096 { ComputeHint::Low } else { ComputeHint::High }
    ///     }
    /// }
    ///
    /// # #[loom::main]
    /// # async fn main() {
    /// let pictures = tokio_stream::iter([Picture(vec![1; 10])]);
    /// let sums = pictures
    ///     .adaptive_map(|picture| picture.0.iter().map(|byte| u32::from(*byte)).sum::<u32>())
    ///     .hint_by(Picture::compute_hint);
    /// assert_eq!(sums.collect::<Vec<_>>().await, [10]);
    /// # }
    /// ```
    pub fn hint_by(
        mut self,
        hint: impl Fn(&S::Item) -> ComputeHint + Send + Sync + 'static,
    ) -> Self {
        self.told.hint = Hint::By(Box::new(hint));
        self
    }

    /// States the size of each item, as `size = …` does in the attribute: items of different
    /// magnitudes are learned apart. `size` runs once for each item, on the task that polls the
    /// stream. If it panics, that poll panics, and the stream takes no further item.
    pub fn size<N: Magnitude>(
        mut self,
        size: impl Fn(&S::Item) -> N + Send + Sync + 'static,
    ) -> Self {
        self.told.size = Some(Box::new(move |item| size(item).magnitude()));
        self
    }

    /// Names the function in every report and for overrides. Its key is that of the name, so a profile
    /// stays valid while the code moves. If several closures have one name, `functions` lists each,
    /// Prometheus shows their sum, an override counts for all, and a profile keeps none.
    pub fn name(mut self, name: &'static str) -> Self {
        self.told.name = Some(name);
        self
    }
}

impl<S, F, U> Stream for ComputeMap<S, F, U>
where
    S: Stream,
    F: Fn(S::Item) -> U + Send + Sync + 'static,
    S::Item: Send + 'static,
    U: Send + 'static,
{
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.project();
        this.flight.poll(this.stream, cx, |core, item| {
            let f = Arc::clone(this.f);
            let admitted = Admitted::or_panic(core);
            let call = offload(core, admitted, CallOptions::default(), move || f(item));
            ComputeFuture::or_panic(call).into()
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.flight.size_hint(self.stream.size_hint())
    }
}

impl<S, F, U> Stream for AdaptiveMap<S, F, U>
where
    S: Stream,
    F: Fn(S::Item) -> U + Send + Sync + 'static,
    S::Item: Send + 'static,
    U: Send + 'static,
{
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.project();
        let told = this.told;
        let hint = match told.hint {
            Hint::Of(hint) => hint,
            Hint::By(_) => ComputeHint::Unknown,
        };
        let found = || Site::of_named::<F>(told.place, told.name, told.size.is_some(), hint);
        let site = this.site.get_or_insert_with(found);
        this.flight.poll(this.stream, cx, |core, item| {
            let call = told.call(site, &item);
            let f = Arc::clone(this.f);
            place(core, call, move || f(item))
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.flight.size_hint(self.stream.size_hint())
    }
}

macro_rules! common {
    ($($name:ident)*) => {$(
        impl<S: Stream, F, U> $name<S, F, U> {
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

        impl<S: Stream, F, U> FusedStream for $name<S, F, U>
        where
            Self: Stream,
        {
            fn is_terminated(&self) -> bool {
                self.flight.is_over()
            }
        }

        impl<S: Stream + fmt::Debug, F, U> fmt::Debug for $name<S, F, U> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("stream", &self.stream)
                    .field("in_flight", &self.flight.len())
                    .finish_non_exhaustive()
            }
        }
    )*};
}

common! { ComputeMap AdaptiveMap }
